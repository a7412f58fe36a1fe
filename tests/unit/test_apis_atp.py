"""ATP's dialect: what is asked for, and what is made of the answers."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bellwire.apis.atp import Atp
from bellwire.apis.sse import ServerSentEvent
from bellwire.config.schema import AccountConfig
from bellwire.errors import SourceError
from bellwire.model import Discard, Notification, Severity, StatusChange, StreamItem

NOW = datetime(2026, 11, 22, 10, tzinfo=UTC)
ITEM: dict[str, Any] = {
    "id": "n1",
    "version": "1.0",
    "timestamp": "2026-11-22T10:00:00Z",
    "deadline": "2026-11-22T11:00:00Z",
    "service": {"id": "deploy-bot", "name": "Deploy Bot", "icon": "https://example.com/i.png"},
    "context": {
        "title": "Approve the release?",
        "description": "Version 4 waits.",
        "project": "shop",
        "metadata": {"build": 17, "dry_run": False, "owners": ["a"]},
        "attachments": [],
    },
    "actions": [{"id": "ok", "label": "OK", "response_type": "simple"}],
    "priority": "high",
    "status": "created",
}


def account(**keys: Any) -> AccountConfig:
    given = {"name": "a", "api": "atp", "base_url": "http://atp.test", "authorization": {"credentials": "token"}}
    return AccountConfig.model_validate(given | keys)


def read(item: Any) -> Notification:
    (found,) = Atp(account()).read_page(None, {"notifications": [item]}).items
    return found


# --- what is asked for ---------------------------------------------------------------------------------------------


def test_the_users_token_goes_with_every_call() -> None:
    assert Atp(account()).headers(NOW) == {"Authorization": "Bearer token"}


def test_a_page_is_asked_for_by_cursor_and_filter_and_only_what_is_pending() -> None:
    dialect = Atp(account(params={"service_id": "s", "project": "p"}))
    call = dialect.list_page(None)
    assert (call.method, call.path) == ("GET", "/api/v1/client/notifications")
    assert dict(call.query) == {"status": "pending", "limit": "100", "service_id": "s", "project": "p"}
    assert dict(dialect.list_page("c").query)["cursor"] == "c"


def test_the_probe_is_a_page_of_one_under_the_same_filter() -> None:
    call = Atp(account(params={"project": "p"})).count()
    assert call is not None
    assert dict(call.query) == {"status": "pending", "limit": "1", "project": "p"}


def test_the_stream_is_resumed_where_it_was_left() -> None:
    fresh, resumed = Atp(account()).stream(None), Atp(account()).stream("42")
    assert fresh is not None
    assert resumed is not None
    assert (fresh.path, fresh.headers) == ("/api/v1/client/events", ())
    assert (resumed.path, resumed.headers) == ("/api/v1/client/events", (("Last-Event-ID", "42"),))


def test_one_notification_is_acknowledged_by_its_own_call() -> None:
    call = Atp(account()).mark(["a/b c"])
    assert (call.method, call.path) == ("POST", "/api/v1/client/notifications/a%2Fb%20c/acknowledge")
    assert call.body is None


@pytest.mark.parametrize(
    ("answer", "refused"),
    [
        ({"code": "AUTH_INVALID_TOKEN", "message": "no"}, True),
        ({"error": {"code": "AUTH_INVALID_TOKEN"}}, True),
        ({"code": "NOTIFICATION_ACCESS_DENIED", "message": "no"}, False),
        ({"error": {"code": "NOTIFICATION_ACCESS_DENIED"}}, False),
        ({"error": "Forbidden", "code": "NOTIFICATION_ACCESS_DENIED"}, True),
        (None, True),
        ([], True),
    ],
)
def test_one_notification_of_another_user_does_not_refuse_the_account(answer: Any, *, refused: bool) -> None:
    assert Atp(account()).refuses_account(403, answer) is refused


# --- items ---------------------------------------------------------------------------------------------------------


def test_an_item_is_read_whole() -> None:
    assert read(ITEM) == Notification(
        upstream_id="n1",
        type="notification",
        severity=Severity.ERROR,
        title="Approve the release?",
        message="Version 4 waits.",
        created_at=NOW,
        labels={
            "service_id": "deploy-bot",
            "service_name": "Deploy Bot",
            "project": "shop",
            "priority": "high",
            "status": "created",
            "deadline": "2026-11-22T11:00:00Z",
            "build": "17",
            "dry_run": "false",
        },
        payload=ITEM,
    )


@pytest.mark.parametrize(
    ("priority", "severity"),
    [
        ("low", Severity.INFO),
        ("normal", Severity.INFO),
        ("high", Severity.ERROR),
        ("HIGH", Severity.ERROR),
        ("urgent", Severity.CRITICAL),
        ("critical", Severity.CRITICAL),
        ("", Severity.INFO),
        (None, Severity.INFO),
        (3, Severity.INFO),
    ],
)
def test_severity_follows_priority(priority: Any, severity: Severity) -> None:
    assert read(ITEM | {"priority": priority}).severity is severity


def test_metadata_never_replaces_what_the_item_says_itself() -> None:
    context = ITEM["context"] | {"metadata": {"project": "other", "priority": "low", "self": 1}}
    labels = read(ITEM | {"context": context}).labels
    assert (labels["project"], labels["priority"], labels["self"]) == ("shop", "high", "1")


@pytest.mark.parametrize(
    ("context", "title"),
    [({"description": "First\nsecond"}, "First"), ({}, "Notification"), (None, "Notification"), ([1], "Notification")],
)
def test_a_title_is_made_of_what_there_is(context: Any, title: str) -> None:
    assert read({"id": 1, "context": context}).title == title


def test_several_are_acknowledged_in_one_call_only_where_the_account_says_so() -> None:
    for params in ({}, {"bulk_acknowledge": "false"}, {"project": "p"}):
        assert Atp(account(params=params)).marks_per_call == 1
    bulk = Atp(account(params={"bulk_acknowledge": "true", "project": "p"}))
    assert bulk.marks_per_call == 100
    call = bulk.mark(["a", "b"])
    assert (str(call), call.body) == ("POST /api/v1/client/notifications/acknowledge", {"notification_ids": ["a", "b"]})
    assert bulk.mark(["a"]) == Atp(account()).mark(["a"])
    assert ("bulk_acknowledge", "true") not in bulk.list_page(None).query


@pytest.mark.parametrize("params", [{}, {"bulk_acknowledge": "true"}])
def test_no_call_is_made_without_an_id(params: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="not enough values"):
        Atp(account(params=params)).mark([])


@pytest.mark.parametrize(
    ("answer", "all_marked"),
    [
        ({"acknowledged_count": 2}, True),
        ({"acknowledged_count": 1}, False),
        ({"acknowledged_count": "2"}, False),
        ({"acknowledged_count": True}, False),
        ({}, False),
        ({"marked": 2}, False),
        ([], False),
        (None, False),
    ],
)
def test_only_a_full_count_confirms_several(answer: Any, *, all_marked: bool) -> None:
    assert Atp(account(params={"bulk_acknowledge": "true"})).all_marked(["a", "b"], answer) is all_marked


def test_an_id_that_would_name_another_call_is_never_acknowledged() -> None:
    assert not read(ITEM | {"id": ".."}).markable
    assert read(ITEM).markable


@pytest.mark.parametrize("item", [None, 1, [], {}, {"id": ""}, {"id": {}}])
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
    ("pagination", "following", "total"),
    [
        ({"next_cursor": "c", "has_more": True, "total_count": 9}, "c", 9),
        ({"next_cursor": None, "has_more": False, "total_count": 9}, None, 9),
        ({"next_cursor": "c", "has_more": False, "total_count": 9}, None, 9),
        ({"next_cursor": "c"}, "c", None),
        ({"next_cursor": 7}, "7", None),
        ({"next_cursor": "", "has_more": True}, None, None),
        ({}, None, None),
        (None, None, None),
    ],
)
def test_the_next_page_is_where_the_cursor_says(pagination: Any, following: str | None, total: int | None) -> None:
    page = Atp(account()).read_page("b", {"notifications": [ITEM], "pagination": pagination})
    assert (page.next_cursor, page.total) == (following, total)


@pytest.mark.parametrize("answer", [None, [], {}, {"notifications": None}, {"code": "X", "message": "no"}])
def test_an_answer_without_a_list_is_no_empty_inbox(answer: Any) -> None:
    with pytest.raises(SourceError):
        Atp(account()).read_page(None, answer)


@pytest.mark.parametrize(
    ("answer", "count"),
    [
        ({"notifications": [], "pagination": {"total_count": 5}}, 5),
        ({"pagination": {"total_count": None}}, None),
        ({"pagination": []}, None),
        ({}, None),
        (None, None),
    ],
)
def test_the_count_is_that_of_all_pages(answer: Any, count: int | None) -> None:
    assert Atp(account()).read_count(answer) == count


# --- the stream ----------------------------------------------------------------------------------------------------


def streamed(name: str, data: Any, **keys: Any) -> StreamItem | None:
    text = data if isinstance(data, str) else json.dumps(data)
    return Atp(account(**keys)).read_event(ServerSentEvent(text, name, "1"))


@pytest.mark.parametrize("name", ["notification", "message"])
def test_a_stream_item_is_read_as_a_listed_one(name: str) -> None:
    assert streamed(name, ITEM) == read(ITEM)


@pytest.mark.parametrize(("data", "reason"), [("{", "broken_json"), ("[]", "not_an_object"), ("{}", "no_id")])
def test_stream_data_that_is_no_item_is_discarded(data: str, reason: str) -> None:
    found = streamed("notification", data)
    assert isinstance(found, Discard)
    assert found.reason == reason


def test_the_stream_of_an_account_with_filters_brings_only_what_passes_them() -> None:
    mine = {"params": {"service_id": "deploy-bot", "project": "shop"}}
    assert isinstance(streamed("notification", ITEM, **mine), Notification)
    assert streamed("notification", ITEM | {"service": {"id": "other"}}, **mine) is None
    assert streamed("notification", {"id": "n1"}, **mine) is None
    assert streamed("notification", ITEM, params={"project": "other"}) is None


def test_a_ping_is_no_item() -> None:
    assert streamed("ping", {}) is None
    assert streamed("ping", "not even JSON") is None


@pytest.mark.parametrize("status", ["responded", "completed", "expired", "invalidated"])
def test_what_is_settled_elsewhere_is_recorded(status: str) -> None:
    update = {"notification_id": "n1", "status": status, "updated_at": "2026-11-22T10:00:00Z"}
    assert streamed("status_update", update) == StatusChange(upstream_id="n1", status=status)


@pytest.mark.parametrize("status", ["created", "delivered", "acknowledged"])
def test_what_is_still_open_changes_nothing(status: str) -> None:
    assert streamed("status_update", {"notification_id": "n1", "status": status}) is None


@pytest.mark.parametrize(
    ("data", "reason"), [("{", "broken_json"), ("[]", "unknown_status"), ({"status": "lost"}, "unknown_status")]
)
def test_an_update_that_says_nothing_is_recorded(data: Any, reason: str) -> None:
    found = streamed("status_update", data)
    assert isinstance(found, Discard)
    assert found.reason == reason


@pytest.mark.parametrize(
    ("data", "code"),
    [
        ({"code": "INTERNAL", "message": "secret"}, "INTERNAL"),
        ({"error": {"code": "INTERNAL", "message": "secret"}}, "INTERNAL"),
        ("{", ""),
        ({"error": "text"}, ""),
    ],
)
def test_an_error_on_the_stream_is_recorded_by_its_code_alone(data: Any, code: str) -> None:
    assert streamed("error", data) == Discard(reason="vendor_error", detail=code)


def test_an_event_of_another_name_is_recorded() -> None:
    assert streamed("later", ITEM) == Discard(reason="unknown_event", detail="later")
