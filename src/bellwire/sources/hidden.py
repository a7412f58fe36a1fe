"""What a vendor counts as unread and does not list: its paging cannot reach it, so that nobody would ever hear of it.

One such list is known: Owlmetry's, where more rows than fit into a page came in one millisecond. They come to light as
the ones before them are marked as read; where nothing is marked, only this comparison tells of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bellwire.records import SourceEvent

if TYPE_CHECKING:
    from bellwire.sources.site import Site
    from bellwire.sources.sweep import Swept

_FOR_SURE = 2  # lists in a row: what came or was read between a list and its count proves nothing


class Hidden:
    """Compares whole lists of one account with the vendor's count."""

    __slots__ = ("_in_a_row", "_site", "number")

    def __init__(self, site: Site) -> None:
        self._site = site
        self._in_a_row = 0
        self.number = 0
        """How many notifications are known to be unread that no list names."""

    async def compare(self, swept: Swept) -> None:
        """Ask for the count behind a list that was read whole; a list of one page hides nothing."""
        count = await self._site.inbox.listable() if swept.whole and swept.pages > 1 else None
        if count is None or count <= swept.listed:
            self._in_a_row = self.number = 0
            return
        self._in_a_row += 1
        if self._in_a_row < _FOR_SURE:
            return
        before, self.number = self.number, count - swept.listed
        self._site.report.hidden(self.number)
        if not before:
            await self._site.ledger.note(self._site.key, SourceEvent(kind="hidden", detail={"unread": self.number}))
