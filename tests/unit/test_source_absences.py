"""What counts as read at the vendor: named by a list once, and gone from every whole list since, for a minute."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any, cast

import pytest

from bellwire.config.schema import AccountConfig
from bellwire.errors import SourceError
from bellwire.metrics import Metrics
from bellwire.model import AccountKey, Notification, Page
from bellwire.sources.absences import FOR_SURE, Absences
from bellwire.sources.report import Report
from bellwire.sources.site import Site
from bellwire.sources.standing import Standing
from fake_inbox import item
from fakes import FakeClock

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bellwire.ports import Inbox, Intake, SourceLedger

KEY = AccountKey(name="a", base_url="http://x.test")
MINUTE = FOR_SURE.total_seconds()


class Waiting:
    """A ledger in which these items wait, until they are found to be read."""

    def __init__(self, *waiting: str) -> None:
        self.waiting = set(waiting)
        self.read: list[str] = []

    async def in_flight(self, account: AccountKey) -> set[str]:
        assert account == KEY
        return set(self.waiting)

    async def read_upstream(self, account: AccountKey, upstream_ids: Sequence[str], found_by: str) -> int:
        assert (account, found_by) == (KEY, "list")
        self.read += sorted(upstream_ids)
        self.waiting -= set(upstream_ids)
        return len(upstream_ids)


class Lists:
    """A vendor whose list has these pages, each with the total that it tells."""

    def __init__(self, *pages: Sequence[str], totals: Sequence[int] | None = None, unread: Sequence[str] = ()) -> None:
        self.pages = pages
        self.totals = totals
        self.unread = unread
        self.broken_at: int | None = None

    async def page(self, cursor: str | None = None) -> Page:
        number = int(cursor or 0)
        if number == self.broken_at:
            message = "no answer"
            raise SourceError(message, reason="timeout")
        following = str(number + 1) if number + 1 < len(self.pages) else None
        items = tuple(item(each) for each in self.pages[number])
        return Page(items=items, next_cursor=following, total=self.totals[number] if self.totals else None)

    async def is_unread(self, upstream_id: str) -> bool | None:
        """Say so of these; of others the API says nothing."""
        return True if upstream_id in self.unread else None


class World:
    def __init__(self, *waiting: str) -> None:
        self.clock = FakeClock()
        self.ledger = Waiting(*waiting)
        self.site = Site(
            account=AccountConfig(name="a", api="x", base_url="http://x.test", cancel_when_read=True),
            key=KEY,
            inbox=cast("Inbox", Lists([])),
            intake=cast("Intake", None),
            ledger=cast("SourceLedger", self.ledger),
            clock=self.clock,
            rng=random.Random(1),
            report=Report("a", Metrics(), self.clock),
            standing=Standing(),
        )
        self.absences = Absences(self.site)

    async def list(self, *pages: Sequence[str], after: float = 0.0, to_end: bool = True, **values: Any) -> None:
        """Turn the clock and read a list of these pages."""
        await self.clock.advance(after)
        self.site.inbox = cast("Inbox", Lists(*(pages or ([],)), **values))
        await self.absences.sweep(nothing_new, to_end=to_end)


async def nothing_new(items: Sequence[Notification]) -> int:
    del items
    return 0


async def test_what_a_list_named_and_two_since_have_not_is_read() -> None:
    world = World("1", "2")
    await world.list(["1", "2"])
    await world.list(["2"], after=1)
    assert world.ledger.read == []
    await world.list(["2"], after=MINUTE)
    assert world.ledger.read == ["1"]


async def test_what_the_vendor_still_calls_unread_is_not_read_whatever_its_list_says() -> None:
    world = World("1", "2")
    await world.list(["1", "2"])
    await world.list([], after=1)
    await world.list([], after=MINUTE, unread=["1"])
    assert world.ledger.read == ["2"]
    await world.list([], after=1)
    assert world.ledger.read == ["2", "1"]


async def test_a_minute_has_to_pass_however_often_the_list_is_read() -> None:
    world = World("1")
    await world.list(["1"])
    for _ in range(10):
        await world.list([], after=5)
    assert world.ledger.read == []
    await world.list([], after=MINUTE - 45.1)
    assert world.ledger.read == []
    await world.list([], after=0.1)
    assert world.ledger.read == ["1"]


async def test_what_no_list_ever_named_is_not_known_to_be_read() -> None:
    """The stream brought it: the list may lag for hours, or a filter hide it."""
    world = World("1")
    for _ in range(5):
        await world.list([], after=MINUTE)
    assert world.ledger.read == []


async def test_a_list_that_names_it_again_begins_anew() -> None:
    world = World("1")
    for _ in range(3):
        await world.list(["1"], after=MINUTE)
        await world.list([], after=MINUTE)
    assert world.ledger.read == []
    await world.list([], after=MINUTE)
    assert world.ledger.read == ["1"]


async def test_a_list_that_was_not_read_to_its_end_tells_of_nothing_missing() -> None:
    world = World("1")
    await world.list(["1"])
    for _ in range(5):
        await world.list(["3"], ["4"], ["5"], after=MINUTE, to_end=False)
    assert world.ledger.read == []
    await world.list(["3"], ["4"], ["1"], after=MINUTE)
    await world.list(["3"], ["4"], [], after=MINUTE)
    assert world.ledger.read == []


async def test_rows_that_moved_between_two_pages_are_not_missing() -> None:
    world = World("1")
    await world.list(["1"])
    for _ in range(5):
        await world.list(["3"], ["4"], after=MINUTE, totals=(3, 2))
    assert world.ledger.read == []


async def test_a_list_that_failed_half_way_tells_of_nothing_missing() -> None:
    world = World("1")
    await world.list(["1"])
    for _ in range(3):
        await world.clock.advance(MINUTE)
        lists = Lists(["3"], ["4"])
        lists.broken_at = 1
        world.site.inbox = cast("Inbox", lists)
        with pytest.raises(SourceError):
            await world.absences.sweep(nothing_new, to_end=True)
    assert world.ledger.read == []


async def test_what_came_while_the_list_was_read_is_not_missing_from_it() -> None:
    world = World()
    await world.list([])
    world.ledger.waiting.add("1")
    await world.list(["1"], after=1)
    world.ledger.waiting.add("2")
    await world.list(["1"], after=MINUTE)
    await world.list(["1"], after=MINUTE)
    assert world.ledger.read == []


async def test_what_waits_no_more_is_forgotten() -> None:
    world = World("1")
    await world.list(["1"])
    await world.list([], after=1)
    world.ledger.waiting.clear()  # it was sent
    await world.list([], after=1)
    world.ledger.waiting.add("1")
    await world.list([], after=MINUTE)
    assert world.ledger.read == []
