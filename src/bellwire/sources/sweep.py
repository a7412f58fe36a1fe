"""Reading an account's list of unread notifications, which changes while it is read.

Where pages are counted by offset, rows that are marked as read meanwhile move the others up, so that some are skipped;
rows that arrive move them down, so that some come twice. By how many they may have moved up, the fall of the vendor's
total says: a pass goes back by as many, and lets pages overlap by what fell last. The list is read again from its start
until a pass brings nothing new and has seen no fall that it did not make up for. A list of one page is read in one piece,
and needs no second look.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from datetime import datetime

    from bellwire.model import Notification, Page
    from bellwire.ports import Inbox

    Take = Callable[[Sequence[Notification]], Awaitable[int]]
    """Hands a page in, and returns how many of it were new."""

MOST_PASSES = 5
_KNOWN_PAGES = 2  # one that is wholly known, and one more
_NEAR = 3  # pages that may overlap
_MOST_AGAIN = 5  # pages, and a quarter of the list, read again for nothing: a pass must end, whatever the totals say
_MOST_PAGES = 10_000  # of a pass: a vendor whose list has no end must not hold the source for ever


@dataclass(frozen=True, kw_only=True, slots=True)
class Swept:
    """What came of it: ``pages`` of the longest pass; ``finished`` is False if the list did not come to rest.

    ``whole``: the last pass went from the list's start to its end, and nothing was seen to be skipped; then ``listed`` is
    how many notifications it named.
    """

    new: int
    pages: int
    finished: bool = True
    whole: bool = False
    listed: int = 0


async def sweep(inbox: Inbox, take: Take, *, to_end: bool, since: datetime | None = None) -> Swept:
    """Read the list: ``to_end``, or until one wholly known page and one more, behind everything created after ``since``.

    Known pages alone prove nothing where an earlier reading broke off: it began with the newest, and all behind those may
    be missing still.
    """
    new = pages = 0
    whole = to_end
    for _ in range(MOST_PASSES):
        one = await _one_pass(inbox, take, to_end=whole, since=since)
        whole = to_end or not one.finished  # what was skipped may be behind any number of known pages
        new += one.new
        pages = max(pages, one.pages)
        if one.pages == 1 or (one.finished and not one.new):
            return Swept(new=new, pages=pages, whole=one.whole, listed=one.listed)
    return Swept(new=new, pages=pages, finished=False)


async def _one_pass(inbox: Inbox, take: Take, *, to_end: bool, since: datetime | None) -> Swept:
    new = known = listed = 0
    recent: deque[list[str]] = deque(maxlen=_NEAR)
    place = _Place()
    for length in range(1, _MOST_PAGES + 1):
        cursor, is_further = place.cursor, place.is_further
        page = await inbox.page(cursor)
        found = await take(page.items) if page.items else 0
        new += found
        place.follow(page, found)
        known = 0 if found else known + is_further
        ids = [item.upstream_id for item in page.items]
        listed += len(set(ids).difference(*recent))  # pages may overlap
        turns_in_place = (
            is_further and bool(ids) and (page.next_cursor == cursor or (bool(recent) and ids == recent[-1]))
        )
        enough = known >= _KNOWN_PAGES and not to_end and _is_behind(page, since)
        if place.cursor is None or turns_in_place or enough:
            whole = place.still and place.cursor is None
            return Swept(new=new, pages=length, finished=place.still, whole=whole, listed=listed)
        recent.append(ids)
    return Swept(new=new, pages=_MOST_PAGES, finished=False)


@dataclass(slots=True)
class _Place:
    """Where a pass stands: ``cursor`` is the page to read next, ``overlap`` how many of its rows have been read before.

    ``still``: nothing can have been skipped that the pass did not go back for. ``furthest`` is how many rows there were up
    to the last one that was read: since then they can only have moved up. ``again`` is how many rows the pass went back
    over for the page to read next, and ``wasted`` how many of these brought nothing new.
    """

    cursor: str | None = None
    overlap: int = 0
    still: bool = True
    furthest: int = 0
    total: int | None = None
    size: int = 0  # of the largest page
    again: int = 0
    wasted: int = 0

    @property
    def is_further(self) -> bool:
        """Whether the page to read next lies behind all that was read."""
        return not self.furthest or self._start() >= self.furthest

    def follow(self, page: Page, new: int) -> None:
        """Go on behind a page that was read, with so many that were new; or back, if it may have come too late for some."""
        fallen = 0 if self.total is None or page.total is None else max(0, self.total - page.total)
        skipped = max(0, fallen - self.overlap)
        self.total = page.total
        self.size = max(self.size, len(page.items))
        self.wasted += 0 if new else self.again
        self.again = 0
        start, following = self._start() if page.by_offset else 0, page.next_cursor
        end = start + len(page.items)
        if page.by_offset:
            self.furthest = max(self.furthest, end)
        if skipped and page.by_offset and self.wasted < _MOST_AGAIN * self.size + self.furthest // 4:
            back = max(0, start - skipped - fallen)
            self.cursor, self.overlap, self.again = str(back), fallen, end - back
            return
        self.still = self.still and not skipped
        self.overlap = min(2 * fallen, len(page.items) // 2) if page.by_offset and following is not None else 0
        self.cursor = str(int(following) - self.overlap) if self.overlap and following is not None else following

    def _start(self) -> int:
        return int(self.cursor or 0)


def _is_behind(page: Page, since: datetime | None) -> bool:
    """Return whether all of a page was created before; what does not say when is old."""
    return since is None or all(item.created_at is None or item.created_at < since for item in page.items)
