"""Reading a list that changes while it is read."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bellwire.model import Page
from bellwire.sources.sweep import MOST_PASSES, sweep
from fake_inbox import FakeInbox, item
from fakes import FakeClock

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bellwire.model import Notification


class ShiftingInbox(FakeInbox):
    """Between any two pages, items are marked as read or arrive."""

    def __init__(self, between: Callable[[ShiftingInbox], None]) -> None:
        super().__init__(FakeClock())
        self.between = between

    async def page(self, cursor: str | None = None) -> Page:
        page = await super().page(cursor)
        self.between(self)
        return page


class Taken:
    def __init__(self) -> None:
        self.ids: set[str] = set()

    async def __call__(self, found: Sequence[Notification]) -> int:
        before = len(self.ids)
        self.ids |= {each.upstream_id for each in found}
        return len(self.ids) - before


def filled(inbox: FakeInbox, count: int) -> set[str]:
    inbox.emit(*(item(f"n{number}") for number in range(count)))
    return {each.upstream_id for each in inbox.unread}


async def test_a_list_of_one_page_is_read_once() -> None:
    inbox, taken = FakeInbox(FakeClock()), Taken()
    filled(inbox, 3)
    swept = await sweep(inbox, taken, to_end=True)
    assert (swept.new, swept.pages, inbox.calls) == (3, 1, ["page"])


async def test_a_longer_list_is_read_until_a_pass_brings_nothing_new() -> None:
    inbox, taken = FakeInbox(FakeClock()), Taken()
    filled(inbox, 9)
    swept = await sweep(inbox, taken, to_end=True)
    assert (swept.new, swept.pages, len(inbox.calls)) == (9, 3, 6)


async def test_a_known_list_is_left_after_two_pages_unless_it_is_read_to_its_end() -> None:
    inbox, taken = FakeInbox(FakeClock()), Taken()
    taken.ids = filled(inbox, 30)
    await sweep(inbox, taken, to_end=False)
    assert len(inbox.calls) == 2
    await sweep(inbox, taken, to_end=True)
    assert len(inbox.calls) == 12


async def test_a_gap_between_known_pages_is_found_when_one_known_page_is_before_it() -> None:
    inbox, taken = FakeInbox(FakeClock()), Taken()
    every = filled(inbox, 30)
    taken.ids = every - {"n25", "n24"}  # on the second page: n26, n25, n24
    await sweep(inbox, taken, to_end=False)
    assert taken.ids == every


@settings(deadline=None)
@given(st.lists(st.integers(0, 3), max_size=60), st.integers(0, 40))
async def test_marks_meanwhile_make_nothing_be_skipped(marks: list[int], count: int) -> None:
    """Only what was handed in is marked: the oldest of it first, or the newest."""
    steps, taken = iter(marks), Taken()

    def mark(inbox: ShiftingInbox) -> None:
        for _ in range(next(steps, 0)):
            known = [each for each in inbox.unread if each.upstream_id in taken.ids]
            if known:
                inbox.unread.remove(known[0])

    inbox = ShiftingInbox(mark)
    every = filled(inbox, count)
    while not (await sweep(inbox, taken, to_end=True)).finished:
        pass  # marks run out, so it ends
    assert taken.ids == every


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), max_size=40), st.integers(0, 20))
async def test_arrivals_and_marks_meanwhile_hide_nothing_that_was_there(
    steps: list[tuple[int, int]], count: int
) -> None:
    turns, taken = iter(steps), Taken()
    arrived = 0

    def change(inbox: ShiftingInbox) -> None:
        nonlocal arrived
        marks, arrivals = next(turns, (0, 0))
        for _ in range(marks):
            known = [each for each in inbox.unread if each.upstream_id in taken.ids]
            if known:
                inbox.unread.remove(known[-1])
        for _ in range(arrivals):
            arrived += 1
            inbox.emit(item(f"later{arrived}"))

    inbox = ShiftingInbox(change)
    every = filled(inbox, count)
    while not (await sweep(inbox, taken, to_end=True)).finished:
        pass  # changes run out, so it ends
    assert taken.ids >= every


@pytest.mark.parametrize("marks", [1, 2])
async def test_a_pass_goes_back_for_what_marks_let_it_skip(marks: int) -> None:
    """Two marks between pages of three rows are much: a pass that went on would have to come again."""
    taken = Taken()

    def mark(inbox: ShiftingInbox) -> None:
        for _ in range(marks):
            if known := [each for each in inbox.unread if each.upstream_id in taken.ids]:
                inbox.unread.remove(known[0])

    inbox = ShiftingInbox(mark)
    every = filled(inbox, 30)
    swept = await sweep(inbox, taken, to_end=False)
    assert taken.ids == every
    assert swept.finished


@pytest.mark.timeout(10)
async def test_a_vendor_whose_total_is_what_is_left_does_not_hold_us() -> None:
    class Remaining(FakeInbox):
        async def page(self, cursor: str | None = None) -> Page:
            page = await super().page(cursor)
            return replace(page, total=len(self.unread) - int(cursor or 0))

    inbox, taken = Remaining(FakeClock()), Taken()
    every = filled(inbox, 30)
    swept = await sweep(inbox, taken, to_end=True)
    assert (taken.ids, swept.finished) == (every, False)
    assert len(inbox.calls) < 300


@pytest.mark.timeout(10)
async def test_a_vendor_whose_total_leaps_does_not_hold_us() -> None:
    count = 180

    class Leaping(FakeInbox):
        async def page(self, cursor: str | None = None) -> Page:
            page = await super().page(cursor)
            return replace(page, total=10**9 if len(self.calls) % 2 else count)

    inbox, taken = Leaping(FakeClock()), Taken()
    every = filled(inbox, count)
    swept = await sweep(inbox, taken, to_end=True)
    assert (taken.ids, swept.finished) == (every, False)
    assert len(inbox.calls) < MOST_PASSES * 3 * count / 3


async def test_a_list_that_never_stops_changing_is_left_for_later() -> None:
    taken = Taken()
    number = 0

    def arrive(inbox: ShiftingInbox) -> None:
        nonlocal number
        number += 1
        inbox.emit(item(f"later{number}"))

    inbox = ShiftingInbox(arrive)
    filled(inbox, 6)
    swept = await sweep(inbox, taken, to_end=False)
    assert not swept.finished
    assert len(inbox.calls) <= MOST_PASSES * 5


@pytest.mark.parametrize("cursor", ["same", "3"])
@pytest.mark.timeout(10)
async def test_a_vendor_that_gives_the_same_page_for_ever_does_not_hold_us(cursor: str) -> None:
    class Stuck(FakeInbox):
        async def page(self, cursor: str | None = None) -> Page:
            page = await super().page()
            return Page(items=page.items, next_cursor=following if cursor != following else cursor + "x")

    following = cursor
    inbox, taken = Stuck(FakeClock()), Taken()
    filled(inbox, 3)
    swept = await sweep(inbox, taken, to_end=True)
    assert (swept.new, swept.finished) == (3, True)
    assert len(inbox.calls) == 4
