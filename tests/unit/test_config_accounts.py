"""What the configuration may say to each API, and what it is told is wrong."""

from __future__ import annotations

from typing import Any

import pytest

from bellwire.apis import APIS
from bellwire.config import check_accounts
from bellwire.config.schema import Config

TOKEN = {"credentials": "t"}
PAIR = {"api_key": "k", "api_secret": "s"}


def findings(api: str, **keys: Any) -> list[str]:
    account = {"name": "a", "api": api, "base_url": "https://vendor.example", "authorization": TOKEN} | keys
    config = Config.model_validate({"accounts": [account], "route": {"receiver": "r"}, "receivers": [{"name": "r"}]})
    return [".".join(map(str, finding.loc[2:])) for finding in check_accounts.check_accounts(config)]


def test_every_api_that_there_is_has_its_rules() -> None:
    assert set(check_accounts.APIS) == set(APIS)


@pytest.mark.parametrize(
    ("api", "keys"),
    [
        ("visual_layer", {"authorization": None}),
        ("visual_layer", {"authorization": PAIR, "params": {"dataset_id": "d"}}),
        ("qualytics", {"params": {"trigger_type": ["Anomaly", "Manual"], "tag": "a", "size": "20"}}),
        ("owlmetry", {"params": {"type": "issue.new"}, "web_url": "https://web.example"}),
        ("elan", {"org_id": "org_1"}),
        ("elan", {"headers": {"X-Org-Id": "org_1"}}),
        ("atp", {"params": {"service_id": "s", "project": "p", "bulk_acknowledge": "true"}}),
    ],
)
def test_a_good_account_is_taken(api: str, keys: dict[str, Any]) -> None:
    assert findings(api, **keys) == []


@pytest.mark.parametrize(
    ("api", "keys", "place"),
    [
        ("visual_layr", {}, "api"),
        ("visual_layer", {"params": {"datasetid": "d1"}}, "params.datasetid"),
        ("visual_layer", {"authorization": {"api_key": "k"}}, "authorization"),
        ("visual_layer", {"authorization": TOKEN | PAIR}, "authorization"),
        ("visual_layer", {"org_id": "org_1"}, "org_id"),
        ("qualytics", {"params": {"tags": ["x"]}}, "params.tags"),
        ("qualytics", {"params": {"trigger_type": ["Anomaly", "anomaly"]}}, "params.trigger_type"),
        ("qualytics", {"params": {"size": "0"}}, "params.size"),
        ("qualytics", {"authorization": None}, "authorization"),
        ("owlmetry", {"authorization": None}, "authorization"),
        ("elan", {"params": {"unread_only": "false"}}, "params.unread_only"),
        ("elan", {"labels": {"title": "x"}}, "labels.title"),
        ("elan", {"labels": {"upstream_id": "x"}}, "labels.upstream_id"),
        ("elan", {"org_id": "org_1", "headers": {"x-org-id": "org_2"}}, "headers.x-org-id"),
        ("atp", {"params": {"status": "x"}}, "params.status"),
        ("atp", {"params": {"bulk_acknowledge": "yes"}}, "params.bulk_acknowledge"),
        ("elan", {"params": {"bulk_acknowledge": "true"}}, "params.bulk_acknowledge"),
        ("atp", {"authorization": PAIR}, "authorization"),
    ],
)
def test_what_is_wrong_is_named(api: str, keys: dict[str, Any], place: str) -> None:
    assert findings(api, **keys) == [place]
