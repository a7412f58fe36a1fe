"""ELAN's dialect: what is asked for, and what is made of the answers."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bellwire.apis.elan import Elan
from bellwire.config.schema import AccountConfig
from bellwire.errors import SourceError
from bellwire.model import Notification, Severity

NOW = datetime(2026, 11, 22, 10, tzinfo=UTC)
ITEM: dict[str, Any] = {
    "notification_id": "550e8400-e29b-41d4-a716-446655440000",
    "event_type": "workflow.completed",
    "title": "Translation Complete",
    "message": "Your translation job 'Marketing Docs' has completed successfully.",
    "event_data": {"workflow_id": "wf_abc123", "job_name": "Marketing Docs"},
    "is_read": False,
    "created_at": "2026-11-22T10:00:00Z",
    "read_at": None,
}


def account(**keys: Any) -> AccountConfig:
    given = {"name": "a", "api": "elan", "base_url": "http://elan.test", "authorization": {"credentials": "key"}}
    return AccountConfig.model_validate(given | keys)


def read(item: Any, **keys: Any) -> Notification:
    (found,) = Elan(account(**keys)).read_page(None, {"notifications": [item]}).items
    return found


# --- what is asked for ---------------------------------------------------------------------------------------------


def test_the_key_goes_with_every_call_and_the_organisation_where_it_is_pinned() -> None:
    assert Elan(account()).headers(NOW) == {"Authorization": "Bearer key"}
    assert Elan(account(org_id="org_1")).headers(NOW) == {"Authorization": "Bearer key", "X-Org-Id": "org_1"}


def test_a_page_is_asked_for_by_offset_and_only_the_unread() -> None:
    call = Elan(account()).list_page(None)
    assert (call.method, call.path) == ("GET", "/v1/notifications")
    assert dict(call.query) == {"limit": "100", "offset": "0", "unread_only": "true"}
    assert dict(Elan(account()).list_page("200").query)["offset"] == "200"


def test_the_probe_is_the_vendors_light_one() -> None:
    call = Elan(account()).count()
    assert call is not None
    assert (call.method, call.path, call.query) == ("GET", "/v1/notifications/unread/count", ())


def test_there_is_no_stream() -> None:
    assert Elan(account()).stream("7") is None


def test_marks_name_their_notifications() -> None:
    call = Elan(account()).mark(["a", "b"])
    assert (call.method, call.path, call.body) == ("POST", "/v1/notifications/read", {"notification_ids": ["a", "b"]})


@pytest.mark.parametrize(
    ("answer", "confirmed"),
    [
        ({"marked_count": 2}, True),
        ({"marked_count": 3}, True),
        ({"marked_count": 1}, False),
        ({"marked_count": "2"}, False),
        ({}, False),
        (None, False),
    ],
)
def test_a_lower_count_does_not_confirm_them_all(answer: Any, *, confirmed: bool) -> None:
    assert Elan(account()).all_marked(["a", "b"], answer) is confirmed


# --- items ---------------------------------------------------------------------------------------------------------


def test_an_item_is_read_whole() -> None:
    assert read(ITEM, org_id="org_1") == Notification(
        upstream_id="550e8400-e29b-41d4-a716-446655440000",
        type="workflow.completed",
        severity=Severity.INFO,
        title="Translation Complete",
        message="Your translation job 'Marketing Docs' has completed successfully.",
        created_at=NOW,
        labels={"workflow_id": "wf_abc123", "job_name": "Marketing Docs", "org_id": "org_1"},
        payload=ITEM,
    )


@pytest.mark.parametrize(
    ("event_type", "severity"),
    [
        ("workflow.started", Severity.INFO),
        ("workflow.completed", Severity.INFO),
        ("workflow.failed", Severity.ERROR),
        ("workflow.step.started", Severity.INFO),
        ("workflow.step.completed", Severity.INFO),
        ("workflow.step.failed", Severity.ERROR),
        ("failed", Severity.INFO),
        (None, Severity.INFO),
    ],
)
def test_what_failed_is_an_error(event_type: Any, severity: Severity) -> None:
    assert read(ITEM | {"event_type": event_type}).severity is severity


@pytest.mark.parametrize("created_at", ["2026-11-22T10:00:00Z", "2026-11-22T10:00:00+00:00", "2026-11-22T10:00:00"])
def test_times_come_in_three_forms(created_at: str) -> None:
    assert read(ITEM | {"created_at": created_at}).created_at == NOW


def test_event_data_may_be_absent() -> None:
    item = {key: value for key, value in ITEM.items() if key != "event_data"}
    assert read(item).labels == {}
    assert read(ITEM | {"event_data": None}).labels == {}


def test_scalars_of_the_event_are_labels_under_the_vendors_keys() -> None:
    data = {"n": 3, "share": 0.5, "ok": True, "none": None, "empty": "", "list": [1], "map": {"a": 1}, "self": "x"}
    assert read(ITEM | {"event_data": data}).labels == {"n": "3", "share": "0.5", "ok": "true", "self": "x"}


def test_the_organisation_is_the_pinned_one_whatever_the_event_says() -> None:
    item = ITEM | {"event_data": {"org_id": "other"}}
    assert read(item, headers={"x-org-id": "org_1"}).labels["org_id"] == "org_1"
    assert read(item).labels["org_id"] == "other"


@pytest.mark.parametrize(
    ("changes", "title"),
    [
        ({"title": ""}, "Your translation job 'Marketing Docs' has completed successfully."),
        ({"title": None, "message": "First\nsecond"}, "First"),
        ({"title": None, "message": None}, "workflow.completed"),
    ],
)
def test_a_title_is_made_of_what_there_is(changes: dict[str, Any], title: str) -> None:
    assert read(ITEM | changes).title == title


@pytest.mark.parametrize("item", [None, 1, [], {}, {"notification_id": ""}, {"id": "x"}])
def test_a_listed_item_that_cannot_be_read_becomes_unreadable(item: Any) -> None:
    found = read(item)
    assert (found.type, found.markable, found.payload) == ("unreadable", False, item)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@given(json_values | st.dictionaries(st.sampled_from([*ITEM]), json_values))
def test_whatever_is_listed_becomes_a_notification_with_its_payload(item: Any) -> None:
    found = read(item)
    assert found.upstream_id
    assert found.title
    assert found.payload == item
    assert all(isinstance(value, str) for value in found.labels.values())


# --- pages ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "following", "total"),
    [
        ({"notifications": [{}], "total": 102, "unread_count": 102}, "101", 102),
        ({"notifications": [{}], "total": 101, "unread_count": 101}, None, 101),
        ({"notifications": [], "total": 900, "unread_count": 100}, None, 100),
        ({"notifications": [{}], "total": 900}, "101", 900),
        ({"notifications": [{}]}, None, None),
        ({"notifications": [{}] * 100}, "200", None),
    ],
    ids=["more", "end", "total counts read ones too", "no unread count", "short page", "full page"],
)
def test_the_next_page_begins_behind_what_came(answer: Any, following: str | None, total: int | None) -> None:
    page = Elan(account()).read_page("100", answer)
    assert (page.next_cursor, page.total) == (following, total)


@pytest.mark.parametrize("answer", [None, [], {}, {"notifications": None}, {"detail": "no"}])
def test_an_answer_without_a_list_is_no_empty_inbox(answer: Any) -> None:
    with pytest.raises(SourceError):
        Elan(account()).read_page(None, answer)


@pytest.mark.parametrize(
    ("answer", "count"), [({"unread_count": 5}, 5), ({"unread_count": 0}, 0), ({}, None), (5, None)]
)
def test_the_count_is_read(answer: Any, count: int | None) -> None:
    assert Elan(account()).read_count(answer) == count
