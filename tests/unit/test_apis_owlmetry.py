"""Owlmetry's dialect: what is asked for, and what is made of the answers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bellwire.apis.owlmetry import Owlmetry
from bellwire.config.schema import AccountConfig
from bellwire.errors import SourceError
from bellwire.model import Notification, Severity

NOW = datetime(2024, 1, 15, 10, tzinfo=UTC)
ID = "0b9e6a52-6ad4-4a4c-9d5d-2f3a1c8e7b60"
LOWEST = "00000000-0000-0000-0000-000000000000"


def o_item(**changes: Any) -> dict[str, Any]:
    item = {
        "id": ID,
        "type": "issue.digest",
        "title": "3 new issues in Demo Project",
        "body": "1 regression, 2 new errors since yesterday's digest.",
        "link": "/dashboard/issues?project=7",
        "team_id": "t1",
        "read_at": None,
        "created_at": "2024-01-15T10:00:00.000Z",
    }
    return item | changes


def account(**keys: Any) -> AccountConfig:
    given = {
        "name": "a",
        "api": "owlmetry",
        "base_url": "https://api.x.test",
        "authorization": {"credentials": "jwt"},
    }
    return AccountConfig.model_validate(given | keys)


def read(item: Any, **keys: Any) -> Notification:
    (found,) = Owlmetry(account(**keys)).read_page(None, {"notifications": [item]}).items
    return found


# --- what is asked for ---------------------------------------------------------------------------------------------


def test_the_token_goes_as_a_header_or_as_a_cookie_and_never_as_both() -> None:
    cookie = account(authorization={"type": "cookie", "credentials": "jwt\n"})
    assert Owlmetry(account()).headers(NOW) == {"Authorization": "Bearer jwt"}
    assert Owlmetry(cookie).headers(NOW) == {"Cookie": "token=jwt"}


def test_a_page_is_as_long_as_the_vendor_gives_and_holds_only_the_unread() -> None:
    dialect = Owlmetry(account(params={"type": "issue.new"}))
    assert dialect.list_page(None).query == (("read_state", "unread"), ("limit", "200"), ("type", "issue.new"))
    assert dialect.list_page("x|y").query[-1] == ("cursor", "x|y")


def test_one_is_marked_by_a_call_that_says_what_it_wants() -> None:
    call = Owlmetry(account()).mark([ID])
    assert (call.method, call.path, call.body) == ("PATCH", f"/v1/notifications/{ID}", {"read": True})


# --- items ---------------------------------------------------------------------------------------------------------


def test_the_published_item_becomes_a_notification() -> None:
    assert read(o_item(), web_url="https://x.test/") == Notification(
        upstream_id=ID,
        type="issue.digest",
        severity=Severity.INFO,
        title="3 new issues in Demo Project",
        message="1 regression, 2 new errors since yesterday's digest.",
        url="https://x.test/dashboard/issues?project=7",
        created_at=NOW,
        labels={"team_id": "t1"},
        payload=o_item(),
    )


@pytest.mark.parametrize(
    ("link", "web_url", "url"),
    [
        ("/a", "https://x.test/app", "https://x.test/app/a"),
        ("//evil.test/a", "https://x.test", "https://x.test/evil.test/a"),
        ("https://y.test/a", None, "https://y.test/a"),
        ("/a", None, None),
        (None, "https://x.test", None),
        ("", "https://x.test", None),
        (7, None, None),
    ],
)
def test_a_link_stands_behind_the_web_address(link: Any, web_url: str | None, url: str | None) -> None:
    assert read(o_item(link=link), web_url=web_url).url == url


@pytest.mark.parametrize(
    ("type_", "severity"),
    [
        ("issue.new", Severity.ERROR),
        ("issue.regression", Severity.ERROR),
        ("issue.regressed", Severity.ERROR),
        ("issue_regression.seen", Severity.ERROR),
        ("job.failed", Severity.ERROR),
        ("job.completed", Severity.INFO),
        ("job.failed.not", Severity.INFO),
        ("issue.newest", Severity.INFO),
        ("feedback.new", Severity.INFO),
        ("app.review_new", Severity.INFO),
    ],
)
def test_failures_new_issues_and_regressions_are_errors(type_: str, severity: Severity) -> None:
    assert read(o_item(type=type_)).severity is severity


@pytest.mark.parametrize("upstream_id", ["x", "..", "42", ID[:-1], ID + "0", ID.replace("-", "")])
def test_an_id_that_would_break_the_vendor_is_never_marked(upstream_id: str) -> None:
    assert not read(o_item(id=upstream_id)).markable
    assert read(o_item(id=ID.upper())).markable


def test_missing_texts_are_made_of_what_there_is() -> None:
    assert read(o_item(title="", body="First\nsecond")).title == "First"
    assert read({"id": ID, "type": "job.completed"}).title == "job.completed"
    assert read({"id": ID}).title == "notification"


@pytest.mark.parametrize("item", [None, 1, "text", [], {}, {"id": None}])
def test_a_listed_item_that_cannot_be_read_becomes_unreadable(item: Any) -> None:
    found = read(item, params={"type": "issue.new"})
    assert (found.type, found.payload, found.markable) == ("unreadable", item, False)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@given(
    st.dictionaries(st.sampled_from([name for name in o_item() if name not in {"id", "read_at"}]), json_values),
    json_values,
)
def test_whatever_is_listed_becomes_a_notification_whatever_the_cursor(changes: dict[str, Any], cursor: Any) -> None:
    answer = {"notifications": [o_item(**changes)], "cursor": cursor, "has_more": True}
    (found,) = Owlmetry(account(web_url="https://x.test")).read_page(None, answer).items
    assert found.title
    assert found.payload == o_item(**changes)


# --- pages ---------------------------------------------------------------------------------------------------------


def ids(page: Any) -> list[str]:
    return [each.upstream_id for each in page.items]


def test_what_the_vendor_sends_though_it_was_not_asked_for_is_left_out() -> None:
    wanted, read_, other = (o_item(id=str(UUID(int=number))) for number in range(3))
    read_["read_at"] = "2024-01-15T11:00:00.000Z"
    other["type"] = "issue.new"
    answer = {"notifications": [read_, other, wanted], "cursor": None, "has_more": False}
    assert ids(Owlmetry(account(params={"type": "issue.digest"})).read_page(None, answer)) == [wanted["id"]]
    assert ids(Owlmetry(account()).read_page(None, answer)) == [other["id"], wanted["id"]]


def following(cursor: str | None, answered: Any, *times: str, has_more: Any = True) -> str | None:
    items = [o_item(created_at=time) for time in times]
    answer = {"notifications": items, "cursor": answered, "has_more": has_more}
    return Owlmetry(account()).read_page(cursor, answer).next_cursor


A, B, C = ("2024-01-15T10:00:00.125Z", "2024-01-15T10:00:00.124Z", "2024-01-15T10:00:00.999Z")


def test_the_list_goes_on_from_the_end_of_the_last_items_millisecond() -> None:
    assert following(None, f"{B}|{ID}", A, B) == f"2024-01-15T10:00:00.125Z|{LOWEST}"
    assert following(None, f"{C}|{ID}", "2024-01-15T10:00:01.000Z", C) == f"2024-01-15T10:00:01.000Z|{LOWEST}"
    assert following(None, f"2024-12-31T23:59:59.999Z|{ID}", "2025-01-01T00:00:00Z") == (
        f"2025-01-01T00:00:00.000Z|{LOWEST}"
    )


def test_a_page_of_one_millisecond_goes_on_as_the_vendor_says() -> None:
    assert following(None, f"{A}|{ID}", A, A) == f"{A}|{ID}"


@pytest.mark.parametrize(
    "cursor", ["opaque", "MTIz", f"2024-01-15T10:00:00.123456Z|{ID}", f"{A}|7", f"2024-13-01T00:00:00.000Z|{ID}"]
)
def test_a_cursor_of_another_form_is_sent_back_as_it_is(cursor: str) -> None:
    assert following(None, cursor, A, B) == cursor
    assert following("before", cursor, A, B) == cursor


@pytest.mark.parametrize("last", ["9999-12-31T23:59:59.999Z", "0001-01-01T00:00:00.000Z"])
def test_the_ends_of_the_calendar_do_no_harm(last: str) -> None:
    assert following(None, f"{last}|{ID}", last) == f"{last}|{ID}"


def test_a_cursor_that_does_not_fall_ends_the_list() -> None:
    assert following("opaque", "opaque", A) is None
    assert following(f"{A}|{LOWEST}", f"{A}|{LOWEST}", B) is None
    assert following(f"{B}|{LOWEST}", f"{A}|{ID}", C, A) is None


@pytest.mark.parametrize(
    ("answered", "has_more", "expected"),
    [(None, True, None), ("x", False, None), (7, True, None), ("", True, None), ("x", None, "x")],
)
def test_without_a_cursor_or_more_to_come_the_list_has_ended(
    answered: Any, has_more: Any, expected: str | None
) -> None:
    assert following(None, answered, A, has_more=has_more) == expected


def test_an_empty_page_is_the_last() -> None:
    assert following(None, f"{A}|{ID}") is None


@given(st.lists(st.integers(0, 4_000), max_size=60), st.integers(1, 6))
def test_what_came_in_one_millisecond_is_found_by_paging_if_it_fits_a_page(micros: list[int], size: int) -> None:
    """The vendor in miniature: rows by microsecond, cursors by millisecond."""
    rows = sorted(
        ((NOW + timedelta(microseconds=each), str(UUID(int=n))) for n, each in enumerate(micros)), reverse=True
    )
    crowded = [
        row for row in rows if sum(row[0].microsecond // 1000 == one[0].microsecond // 1000 for one in rows) > size
    ]
    dialect = Owlmetry(account())
    found: set[str] = set()
    cursor: str | None = None
    for _ in range(2 * len(rows) + 2):
        left = rows
        if cursor is not None:
            when, _, row_id = cursor.partition("|")
            left = [row for row in rows if row < (datetime.fromisoformat(when), row_id)]
        part, more = left[:size], len(left) > size
        last = f"{part[-1][0].isoformat(timespec='milliseconds')[:-6]}Z|{part[-1][1]}" if more else None
        items = [o_item(id=row[1], created_at=f"{row[0].isoformat(timespec='milliseconds')[:-6]}Z") for row in part]
        page = dialect.read_page(cursor, {"notifications": items, "cursor": last, "has_more": more})
        found |= set(ids(page))
        cursor = page.next_cursor
        if cursor is None:
            break
    assert cursor is None
    assert found >= {row[1] for row in rows} - {row[1] for row in crowded}


@pytest.mark.parametrize("answer", [None, [], 3, {}, {"notifications": None}, {"error": "no"}])
def test_an_answer_without_a_list_is_no_empty_inbox(answer: Any) -> None:
    with pytest.raises(SourceError):
        Owlmetry(account()).read_page(None, answer)


@pytest.mark.parametrize(("answer", "count"), [({"count": 5}, 5), ({"count": "5"}, None), ({}, None), (5, None)])
def test_the_count_is_read(answer: Any, count: int | None) -> None:
    assert Owlmetry(account()).read_count(answer) == count
