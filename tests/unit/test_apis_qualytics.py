"""Qualytics' dialect: what is asked for, and what is made of the answers."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bellwire.apis.qualytics import Qualytics
from bellwire.config.schema import AccountConfig
from bellwire.errors import SourceError
from bellwire.model import Notification, Severity

NOW = datetime(2026, 5, 13, 12, tzinfo=UTC)


def q_item(**changes: Any) -> dict[str, Any]:
    notification = {
        "id": 100,
        "created": "2026-05-13T12:00:00Z",
        "notification_type": "flow",
        "message": "A Scan operation on Healthcare Analytics has completed.",
        "target_uri": "/datastores/101/activity?operation_id=50001",
        "target_url": "https://your-instance.qualytics.io/datastores/101/activity?operation_id=50001",
        "action_execution": {
            "id": 200,
            "flow_execution": {"id": 300, "flow": {"id": 7, "name": "Healthcare Nightly Quality Gate"}},
        },
    }
    return {"id": 42, "created": "2026-05-13T12:00:00Z", "acknowledged": False, "notification": notification | changes}


def account(**keys: Any) -> AccountConfig:
    given = {
        "name": "a",
        "api": "qualytics",
        "base_url": "https://x.test/api",
        "authorization": {"credentials": "token"},
    }
    return AccountConfig.model_validate(given | keys)


def read(item: Any, **keys: Any) -> Notification:
    (found,) = Qualytics(account(**keys)).read_page(None, {"items": [item], "total": 1}).items
    return found


# --- what is asked for ---------------------------------------------------------------------------------------------


def test_the_token_goes_as_a_header() -> None:
    assert Qualytics(account()).headers(NOW) == {"Authorization": "Bearer token"}


@pytest.mark.parametrize(
    ("base_url", "path"),
    [
        ("https://x.test/api", "/user-notifications"),
        ("https://x.test/api/", "/user-notifications"),
        ("https://x.test", "/api/user-notifications"),
        ("https://x.test/qualytics/", "/api/user-notifications"),
    ],
)
def test_the_path_fits_a_base_url_with_and_without_the_api_at_its_end(base_url: str, path: str) -> None:
    assert Qualytics(account(base_url=base_url)).list_page(None).path == path


def test_pages_are_numbered_from_one_and_hold_only_the_unread_newest_first() -> None:
    assert Qualytics(account()).list_page(None).query == (
        ("include_acknowledged", "false"),
        ("sort_created", "desc"),
        ("page", "1"),
        ("size", "100"),
    )
    assert dict(Qualytics(account()).list_page("3").query)["page"] == "3"
    assert dict(Qualytics(account(params={"size": "25"})).list_page(None).query)["size"] == "25"


def test_filters_of_several_values_are_repeated_keys_in_lists_and_in_counts() -> None:
    dialect = Qualytics(account(params={"trigger_type": ["Anomaly", "Manual"], "tag": "prod"}))
    filters = (("trigger_type", "Anomaly"), ("trigger_type", "Manual"), ("tag", "prod"))
    count = dialect.count()
    assert dialect.list_page(None).query[-3:] == filters
    assert count is not None
    assert count.query[-3:] == filters
    assert dict(count.query)["size"] == "1"


def test_one_is_marked_by_its_own_call_and_several_by_one_that_names_each() -> None:
    dialect = Qualytics(account())
    one, several = dialect.mark(["42"]), dialect.mark(["42", "43"])
    assert (one.method, one.path, one.body) == ("PUT", "/user-notifications/acknowledge/42", None)
    assert (several.method, several.path) == ("PATCH", "/user-notifications/acknowledge")
    assert several.body == [{"id": 42}, {"id": 43}]


def test_a_bulk_mark_of_nothing_which_would_be_of_everything_cannot_be_made() -> None:
    with pytest.raises(ValueError, match="everything"):
        Qualytics(account()).mark([])


@given(st.lists(st.text(min_size=1), min_size=2, max_size=100))
def test_a_bulk_mark_names_exactly_what_it_is_for(ids: list[str]) -> None:
    assert [str(each["id"]) for each in Qualytics(account()).mark(ids).body] == ids


@pytest.mark.parametrize(
    ("answer", "all_marked"),
    [
        ({"acknowledged_count": 2, "requested_count": 2}, True),
        ({"acknowledged_count": 1, "requested_count": 2}, False),
        ({"acknowledged_count": 0}, False),
        ({"acknowledged_count": None}, False),
        ({"acknowledged_count": "2"}, False),
        ({}, False),
        ([], False),
        (None, False),
    ],
)
def test_a_bulk_mark_that_does_not_count_as_many_is_no_confirmation(answer: Any, *, all_marked: bool) -> None:
    assert Qualytics(account()).all_marked(["42", "43"], answer) is all_marked


# --- items ---------------------------------------------------------------------------------------------------------


def test_the_published_item_becomes_a_notification_of_its_outer_id() -> None:
    assert read(q_item()) == Notification(
        upstream_id="42",
        type="flow",
        severity=Severity.INFO,
        title="Healthcare Nightly Quality Gate",
        message="A Scan operation on Healthcare Analytics has completed.",
        url="https://your-instance.qualytics.io/datastores/101/activity?operation_id=50001",
        created_at=NOW,
        labels={"flow": "Healthcare Nightly Quality Gate", "flow_id": "7"},
        payload=q_item(),
    )


@pytest.mark.parametrize("execution", [None, {}, {"flow_execution": None}, {"flow_execution": {"flow": None}}, 7])
def test_without_a_flow_the_messages_first_line_is_the_title(execution: Any) -> None:
    found = read(q_item(action_execution=execution, message="\nDisk full\non node 7", notification_type="system"))
    assert (found.title, found.type, found.labels) == ("Disk full", "system", {})


def test_of_a_notification_that_is_bare_only_the_id_remains() -> None:
    found = read({"id": 1})
    assert (found.upstream_id, found.type, found.title, found.url) == ("1", "notification", "Notification", None)
    assert found.markable


@pytest.mark.parametrize(
    ("changes", "params", "severity"),
    [
        ({"notification_type": "anomaly"}, {}, Severity.WARNING),
        ({"notification_type": "Anomaly_detected"}, {}, Severity.WARNING),
        ({"target_uri": "/anomalies/17"}, {}, Severity.WARNING),
        ({"target_uri": "/datastores/1/anomalies?id=2"}, {}, Severity.WARNING),
        ({"target_uri": "/anomalous"}, {}, Severity.INFO),
        ({"target_uri": "http://[", "target_url": None}, {}, Severity.INFO),
        ({"notification_type": "operation.failed"}, {}, Severity.ERROR),
        ({"notification_type": "anomaly.failed"}, {}, Severity.ERROR),
        ({}, {"trigger_type": ["Anomaly"]}, Severity.WARNING),
        ({}, {"trigger_type": ["Anomaly", "Manual"]}, Severity.INFO),
        ({"notification_type": "system"}, {"trigger_type": "Anomaly"}, Severity.INFO),
    ],
)
def test_anomalies_are_warnings_and_failures_errors(
    changes: dict[str, Any], params: dict[str, Any], severity: Severity
) -> None:
    assert read(q_item(**changes), params=params).severity is severity


@pytest.mark.parametrize("upstream_id", ["a/b", "..", "007", "٤٢", "-1", "1" * 30])
def test_what_has_no_number_cannot_be_marked(upstream_id: str) -> None:
    assert not read({"id": upstream_id}).markable


@pytest.mark.parametrize("item", [None, 1, "text", [], {}, {"id": None}, {"notification": {"id": 100}}])
def test_a_listed_item_that_cannot_be_read_becomes_unreadable(item: Any) -> None:
    found = read(item)
    assert (found.type, found.payload, found.markable) == ("unreadable", item, False)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@given(st.dictionaries(st.sampled_from(list(q_item()["notification"])), json_values), json_values)
def test_whatever_is_listed_becomes_a_notification_with_its_payload(inner: dict[str, Any], created: Any) -> None:
    item = {"id": 1, "created": created, "notification": inner}
    found = read(item)
    assert found.upstream_id == "1"
    assert found.title
    assert found.payload == item


# --- pages ---------------------------------------------------------------------------------------------------------

ITEMS = [{"id": 1}, {"id": 2}]


@pytest.mark.parametrize(
    ("answer", "following"),
    [
        ({"items": ITEMS, "total": 9, "page": 2, "size": 2, "pages": 5}, "3"),
        ({"items": ITEMS, "total": 4, "page": 2, "size": 2, "pages": 2}, None),
        ({"items": ITEMS, "total": 9, "size": 2}, "3"),
        ({"items": ITEMS, "total": 4, "size": 2}, None),
        ({"items": ITEMS}, None),
        ({"items": [], "total": 9, "pages": 5}, None),
    ],
)
def test_there_is_a_next_page_while_the_vendor_has_one(answer: Any, following: str | None) -> None:
    page = Qualytics(account()).read_page("2", answer)
    assert page.next_cursor == following
    assert page.total == answer.get("total")


def test_what_is_acknowledged_is_no_news() -> None:
    items = [{"id": 1, "acknowledged": True}, {"id": 2, "acknowledged": False}, {"id": 3}]
    assert [each.upstream_id for each in Qualytics(account()).read_page(None, {"items": items}).items] == ["2", "3"]


@pytest.mark.parametrize("answer", [None, [], 3, {}, {"items": None}, {"detail": "no"}])
def test_an_answer_without_a_list_is_no_empty_inbox(answer: Any) -> None:
    with pytest.raises(SourceError):
        Qualytics(account()).read_page(None, answer)


@pytest.mark.parametrize(("answer", "count"), [({"total": 5}, 5), ({"total": -1}, None), ({}, None), ([], None)])
def test_the_count_is_the_total_of_a_page(answer: Any, count: int | None) -> None:
    assert Qualytics(account()).read_count(answer) == count
