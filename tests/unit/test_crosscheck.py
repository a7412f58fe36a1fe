"""The ledger against a vendor's list."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from bellwire import crosscheck
from bellwire.crosscheck import Records, cross_check
from bellwire.errors import UnauthorizedError
from bellwire.model import Notification, Page, Severity

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pytest

TEN = datetime(2026, 11, 22, 10, tzinfo=UTC)


def an_item(upstream_id: str, created_at: datetime | None = TEN - timedelta(hours=1)) -> Notification:
    return Notification(upstream_id=upstream_id, type="alert", severity=Severity.INFO, title="x", created_at=created_at)


class Pages:
    """A vendor's list of so many pages; it refuses after them if ``refuses``."""

    hindrance: str | None = None

    def __init__(self, *pages: Sequence[Notification], refuses: bool = False) -> None:
        self.asked = 0
        self._pages = pages
        self._refuses = refuses

    async def page(self, cursor: str | None = None) -> Page:
        self.asked += 1
        number = int(cursor or 0)
        if number == len(self._pages):
            message = "GET /notifications: 401"
            raise UnauthorizedError(message, reason="http_401")
        more = number + 1 < len(self._pages) or self._refuses
        return Page(items=tuple(self._pages[number]), next_cursor=str(number + 1) if more else None)


async def check(
    inbox: Any, known: set[str], until: datetime | None = TEN, late: set[str] | None = None
) -> dict[str, Any]:
    """Check against a ledger that knows these ids, and ``late`` ones too from when the whole list is read."""

    async def which(ids: Sequence[str]) -> set[str]:
        return set(ids) & known

    async def whole_until() -> datetime | None:
        known.update(late or ())
        return until

    return await cross_check("vision", inbox, Records(known=which, whole_until=whole_until))


async def test_what_is_unread_there_and_unknown_here_is_missing() -> None:
    found = await check(Pages([an_item("a"), an_item("b")], [an_item("c")]), {"a", "c"})
    assert found == {
        "account": "vision",
        "unread": 3,
        "coming": 0,
        "missing": 1,
        "examples": ["b"],
        "error": None,
    }


async def test_what_is_newer_than_all_that_was_seen_is_on_its_way() -> None:
    found = await check(Pages([an_item("new", TEN + timedelta(minutes=5)), an_item("undated", None)]), set())
    assert (found["coming"], found["missing"], found["examples"]) == (1, 1, ["undated"])


async def test_what_arrives_while_the_list_is_read_is_no_fault() -> None:
    found = await check(Pages([an_item("a")]), set(), late={"a"})
    assert (found["unread"], found["missing"]) == (1, 0)


async def test_before_the_first_full_reading_nothing_can_be_missing() -> None:
    found = await check(Pages([an_item("a")]), set(), until=None)
    assert (found["coming"], found["missing"]) == (1, 0)


async def test_a_vendor_that_refuses_is_named_with_what_it_said_before() -> None:
    found = await check(Pages([an_item("a")], refuses=True), {"a"})
    assert (found["unread"], found["missing"], found["error"]) == (1, 0, "GET /notifications: 401")


async def test_a_list_that_turns_in_place_ends() -> None:
    class Circle(Pages):
        async def page(self, cursor: str | None = None) -> Page:
            self.asked += 1
            return Page(items=(an_item("a"),), next_cursor=f"{cursor}x")

    circle = Circle()
    assert (await check(circle, {"a"}))["error"] is None
    assert circle.asked == 2


async def test_a_vendor_that_asked_to_be_left_alone_is_not_asked_and_named() -> None:
    pages = Pages([an_item("a")])
    pages.hindrance = "the vendor asked to be left alone, for 60 s from now"
    found = await check(pages, set())
    assert (found["error"], pages.asked) == (f"it was not asked: {pages.hindrance}", 0)


async def test_a_list_that_takes_long_is_given_up_with_what_was_read(monkeypatch: pytest.MonkeyPatch) -> None:
    class Slow(Pages):
        async def page(self, cursor: str | None = None) -> Page:
            if self.asked:
                await asyncio.Event().wait()
            return await super().page(cursor)

    monkeypatch.setattr(crosscheck, "_MOST_SECONDS", 0.1)
    found = await check(Slow([an_item("a")], [an_item("b")]), {"a"})
    assert (found["unread"], found["missing"]) == (1, 0)
    assert "could not be read within" in found["error"]
