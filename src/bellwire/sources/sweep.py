"""Reading an account's list of unread notifications, which changes while it is read.

Where pages are counted by offset, rows that are marked as read meanwhile move the others up, so that some are skipped;
rows that arrive move them down, so that some come twice. So the list is read again from its start until a pass brings
nothing new, and has not seen the vendor's total fall from one page to the next: only then can rows have been skipped.
A list of one page is read in one piece, and needs no second look.
"""

from __future__ import annotations

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
    for _ in range(MOST_PASSES):
        one = await _one_pass(inbox, take, to_end=to_end, since=since)
        new += one.new
        pages = max(pages, one.pages)
        if one.pages == 1 or (one.finished and not one.new):
            return Swept(new=new, pages=pages, whole=one.whole, listed=one.listed)
    return Swept(new=new, pages=pages, finished=False)


async def _one_pass(inbox: Inbox, take: Take, *, to_end: bool, since: datetime | None) -> Swept:
    new = known = listed = 0
    cursor: str | None = None
    before: list[str] = []
    total: int | None = None
    still = True
    for length in range(1, _MOST_PAGES + 1):
        page = await inbox.page(cursor)
        found = await take(page.items) if page.items else 0
        new += found
        known = 0 if found else known + 1
        still = still and not (total is not None and page.total is not None and page.total < total)
        total = page.total
        ids = [item.upstream_id for item in page.items]
        listed += len(set(ids).difference(before))  # pages may overlap at their borders
        turns_in_place = bool(ids) and (ids == before or page.next_cursor == cursor)
        enough = known >= _KNOWN_PAGES and not to_end and _is_behind(page, since)
        if page.next_cursor is None or turns_in_place or enough:
            whole = still and page.next_cursor is None
            return Swept(new=new, pages=length, finished=still, whole=whole, listed=listed)
        cursor, before = page.next_cursor, ids
    return Swept(new=new, pages=_MOST_PAGES, finished=False)


def _is_behind(page: Page, since: datetime | None) -> bool:
    """Return whether all of a page was created before; what does not say when is old."""
    return since is None or all(item.created_at is None or item.created_at < since for item in page.items)
