"""Visual Layer's dialect: what is asked for, and what is made of the answers."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bellwire.apis.sse import ServerSentEvent
from bellwire.apis.visual_layer import VisualLayer
from bellwire.config.schema import AccountConfig
from bellwire.errors import SourceError
from bellwire.model import Discard, Notification, Severity, StreamItem
from vendor_server import vl_item

NOW = datetime(2026, 11, 22, 10, tzinfo=UTC)


def account(**keys: Any) -> AccountConfig:
    return AccountConfig.model_validate({"name": "a", "api": "visual_layer", "base_url": "http://vl.test", **keys})


def read(item: Any) -> Notification:
    (found,) = VisualLayer(account()).read_page(None, {"notifications": [item]}).items
    return found


# --- what is asked for ---------------------------------------------------------------------------------------------


def test_a_key_pair_mints_a_token_for_each_request() -> None:
    dialect = VisualLayer(account(authorization={"api_key": "key", "api_secret": "s" * 32}))
    scheme, token = dialect.headers(NOW)["Authorization"].split(" ")
    issued = int(NOW.timestamp())
    assert scheme == "Bearer"
    assert jwt.get_unverified_header(token) == {"alg": "HS256", "typ": "JWT", "kid": "key"}
    assert jwt.decode(token, "s" * 32, algorithms=["HS256"], options={"verify_exp": False, "verify_iat": False}) == {
        "sub": "key",
        "iat": issued,
        "exp": issued + 600,
        "iss": "sdk",
    }


def test_a_fixed_token_is_sent_as_it_is() -> None:
    dialect = VisualLayer(account(authorization={"credentials": "fixed\n"}))
    assert dialect.headers(NOW) == {"Authorization": "Bearer fixed"}


def test_without_authorization_nothing_is_sent() -> None:
    assert VisualLayer(account()).headers(NOW) == {}


def test_a_page_is_asked_for_by_offset_and_only_the_unread() -> None:
    dialect = VisualLayer(account(params={"dataset_id": "d1"}))
    assert dict(dialect.list_page(None).query) == {
        "limit": "100",
        "offset": "0",
        "unread_only": "true",
        "dataset_id": "d1",
    }
    assert dict(dialect.list_page("200").query)["offset"] == "200"


def test_one_notification_is_marked_by_its_own_call() -> None:
    call = VisualLayer(account()).mark(["a/b c"])
    assert (call.method, call.path, call.body) == ("POST", "/api/v1/notifications/a%2Fb%20c/read", None)


# --- items ---------------------------------------------------------------------------------------------------------


def test_a_monitor_alert_gets_the_text_that_the_vendor_leaves_out() -> None:
    found = read(vl_item("n1"))
    assert found == Notification(
        upstream_id="n1",
        type="alert",
        severity=Severity.WARNING,
        title="Forklifts: 12 new results in Warehouse",
        created_at=NOW,
        labels={
            "dataset_id": "d1",
            "dataset_name": "Warehouse",
            "view_name": "Forklifts",
            "result_count": "12",
            "entity_type": "saved_view",
            "entity_id": "v1",
            "batch_id": "b1",
        },
        payload=vl_item("n1"),
    )


@pytest.mark.parametrize(
    ("metadata", "title"),
    [
        ({"view_name": "V", "result_count": 3}, "V: 3 new results"),
        ({"view_name": "V", "dataset_name": "D"}, "V: new results in D"),
        ({"result_count": 0, "dataset_name": "D"}, "0 new results in D"),
        ({}, "Notification"),
        (None, "Notification"),
        ([1], "Notification"),
    ],
)
def test_a_title_is_made_of_what_there_is(metadata: Any, title: str) -> None:
    assert read({"id": 1, "metadata": metadata}).title == title


def test_the_vendors_own_title_and_message_are_kept() -> None:
    found = read(vl_item("n1", title="Export ready", message="Take it", metadata={}))
    assert (found.title, found.message, found.type, found.severity) == (
        "Export ready",
        "Take it",
        "notification",
        Severity.INFO,
    )


def test_without_a_title_the_first_line_of_the_message_is_it() -> None:
    assert read(vl_item("n1", message="First\nsecond", metadata={})).title == "First"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2026-11-22T10:00:00", NOW),
        ("2026-11-22T10:00:00Z", NOW),
        ("2026-11-22T11:00:00+01:00", NOW),
        ("2026-11-22 10:00:00.000000", NOW),
        ("yesterday", None),
        ("0001-01-01T00:00:00+10:00", None),
        ("", None),
        (None, None),
        (1_795_341_600, None),
        ({}, None),
    ],
)
def test_times_are_utc_unless_they_say_otherwise(value: Any, expected: datetime | None) -> None:
    assert read(vl_item("n1", created_at=value)).created_at == expected


@pytest.mark.parametrize(("value", "expected"), [(42, "42"), ("x", "x"), ("42", "42"), (0, "0")])
def test_ids_are_text(value: Any, expected: str) -> None:
    assert read({"id": value}).upstream_id == expected


@pytest.mark.parametrize("item", [None, 1, "text", [], {}, {"id": None}, {"id": ""}, {"id": {}}, {"id": True}])
def test_a_listed_item_that_cannot_be_read_becomes_unreadable(item: Any) -> None:
    found = read(item)
    assert found.type == "unreadable"
    assert found.upstream_id.startswith("unreadable-")
    assert found.severity is Severity.WARNING
    assert not found.markable
    assert found.payload == item


def test_an_unreadable_item_has_the_same_id_whenever_it_is_read() -> None:
    assert read({"b": 1, "a": 2}).upstream_id == read({"a": 2, "b": 1}).upstream_id
    assert read({"a": 2}).upstream_id != read({"a": 3}).upstream_id


def test_an_id_that_would_name_another_call_is_never_marked() -> None:
    assert not read(vl_item("..")).markable
    assert read(vl_item("n1")).markable


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
NAMES = ["id", "title", "message", "metadata", "dataset_id", "created_at", "entity_type", "is_read"]


@given(json_values | st.dictionaries(st.sampled_from(NAMES), json_values))
def test_whatever_is_listed_becomes_a_notification_with_its_payload(item: Any) -> None:
    found = read(item)
    assert found.upstream_id
    assert found.title
    assert found.payload == item
    assert all(isinstance(value, str) for value in found.labels.values())


# --- pages ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "following"),
    [
        ({"notifications": [{"id": 1}], "total": 9, "has_more": True}, "101"),
        ({"notifications": [{"id": 1}], "total": 101, "has_more": False}, None),
        ({"notifications": [], "total": 9, "has_more": True}, None),
        ({"notifications": [{"id": 1}], "total": 102}, "101"),
        ({"notifications": [{"id": 1}], "total": 101}, None),
        ({"notifications": [{"id": 1}]}, None),
        ({"notifications": [{"id": n} for n in range(100)]}, "200"),
    ],
)
def test_the_next_page_begins_behind_what_came(answer: Any, following: str | None) -> None:
    assert VisualLayer(account()).read_page("100", answer).next_cursor == following


@pytest.mark.parametrize("answer", [None, [], 3, "x", {}, {"notifications": None}, {"detail": "no"}])
def test_an_answer_without_a_list_is_no_empty_inbox(answer: Any) -> None:
    with pytest.raises(SourceError):
        VisualLayer(account()).read_page(None, answer)


@pytest.mark.parametrize(
    ("answer", "count"),
    [
        ({"unread_count": 3}, 3),
        ({"count": 4}, 4),
        (5, 5),
        (0, 0),
        ({"unread_count": 0}, 0),
        ({}, None),
        ("3", None),
        (True, None),
        (-1, None),
        (None, None),
    ],
)
def test_the_count_is_read_in_each_of_its_shapes(answer: Any, count: int | None) -> None:
    assert VisualLayer(account()).read_count(answer) == count


# --- the stream ----------------------------------------------------------------------------------------------------


def streamed(data: str, **keys: Any) -> StreamItem | None:
    return VisualLayer(account(**keys)).read_event(ServerSentEvent(data))


def test_a_stream_item_is_read_as_a_listed_one() -> None:
    found = streamed('{"id": "n1", "metadata": {"is_alert": true, "view_name": "V"}}')
    assert isinstance(found, Notification)
    assert (found.upstream_id, found.type, found.title) == ("n1", "alert", "V: new results")


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ("{", "broken_json"),
        ("[]", "not_an_object"),
        ("null", "not_an_object"),
        ("{}", "no_id"),
        ('{"id": ""}', "no_id"),
    ],
)
def test_stream_data_that_is_no_item_is_discarded(data: str, reason: str) -> None:
    found = streamed(data)
    assert isinstance(found, Discard)
    assert found.reason == reason


def test_an_item_without_metadata_is_a_notification() -> None:
    found = streamed('{"id": "n1"}')
    assert isinstance(found, Notification)
    assert found.type == "notification"


def test_the_stream_of_an_account_with_a_dataset_brings_only_that_dataset() -> None:
    mine = {"params": {"dataset_id": "d1"}}
    assert isinstance(streamed('{"id": "n1", "dataset_id": "d1"}', **mine), Notification)
    assert streamed('{"id": "n1", "dataset_id": "d2"}', **mine) is None
    assert isinstance(streamed('{"id": "n1"}', **mine), Discard)
