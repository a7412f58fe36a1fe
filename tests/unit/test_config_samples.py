"""The samples are what the dialects make, so that a template that is tried with them is tried with the real thing."""

from __future__ import annotations

from typing import Any

import pytest

from bellwire.apis import APIS
from bellwire.config.samples import SAMPLES, sample_messages, sample_of, samples_of
from bellwire.config.schema import AccountConfig, Config
from bellwire.model import DeliveryKind

PAGES = {
    "visual_layer": "notifications",
    "qualytics": "items",
    "owlmetry": "notifications",
    "elan": "notifications",
    "atp": "notifications",
}


def account(api: str, **values: Any) -> AccountConfig:
    given = {"name": "mine", "api": api, "base_url": "https://x.test", "authorization": {"credentials": "t"}}
    return AccountConfig.model_validate(given | values)


def test_there_is_a_sample_of_each_api() -> None:
    assert set(SAMPLES) == set(APIS)


@pytest.mark.parametrize("api", list(APIS))
def test_a_sample_is_what_the_dialect_makes_of_its_payload(api: str) -> None:
    sample = SAMPLES[api]
    (found,) = APIS[api](account(api)).read_page(None, {PAGES[api]: [sample.payload]}).items
    read = (found.upstream_id, found.type, found.severity, found.title, found.message, found.url, found.created_at)
    assert read == (
        sample.upstream_id,
        sample.type,
        sample.severity,
        sample.title,
        sample.message,
        sample.url,
        sample.created_at,
    )
    assert dict(found.labels) == dict(sample.labels)
    assert found.payload == sample.payload


def test_a_sample_bears_the_labels_of_its_account_and_those_of_every_alert() -> None:
    labels = sample_of("elan", account("elan", labels={"team": "words"})).labels
    assert labels["team"] == "words"
    assert (labels["account"], labels["api"], labels["type"]) == ("mine", "elan", "workflow.completed")


def test_only_apis_with_an_account_are_sampled_and_all_where_there_is_none() -> None:
    config = Config.model_validate({"route": {"receiver": "x"}, "receivers": []})
    assert set(samples_of(config)) == set(APIS)
    assert set(samples_of(config.model_copy(update={"accounts": [account("atp"), account("elan")]}))) == {"atp", "elan"}


def test_a_sample_comes_alone_in_a_group_in_a_digest_and_again() -> None:
    messages = list(sample_messages(sample_of("atp"), "ops"))
    kinds = [DeliveryKind.ALERT, DeliveryKind.GROUP, DeliveryKind.DIGEST, DeliveryKind.REPLAY]
    assert [message.kind for message in messages] == kinds
    assert [len(message.alerts) for message in messages] == [1, 2, 2, 1]
