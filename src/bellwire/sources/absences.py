"""What someone has read at the vendor: items that wait to be sent, and are gone from the list of unread ones.

A list may lag, be cut short, change while it is read, or be empty for a moment by mistake; and an item that a filter
hides was never on it. So an item counts as read only if a list has named it, and then every list that was read from its
start to its end has not: two at least, begun a minute or more apart. Until then it is sent as if nothing were known.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import structlog

from bellwire.sources.sweep import sweep

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from bellwire.model import Notification
    from bellwire.sources.site import Site
    from bellwire.sources.sweep import Swept, Take

FOR_SURE = timedelta(minutes=1)
"""How long an item must have been gone from the list."""

_MOST_ASKED = 20
"""How many the vendor is asked about after one list."""

log = structlog.get_logger(__name__)


class Absences:
    """Watches what waits of one account, while its list is read. It remembers nothing across a change of settings."""

    __slots__ = ("_listed", "_site")

    def __init__(self, site: Site) -> None:
        self._site = site
        self._listed: dict[str, datetime | None] = {}  # since when it is gone; None: it is not

    async def sweep(self, take: Take, *, to_end: bool, since: datetime | None = None) -> Swept:
        """Read the list, and have suppressed what it shows to be read."""
        site = self._site
        began = site.clock.now()
        waiting = await site.ledger.in_flight(site.key)  # before the list is asked for: it can name all of these
        seen: set[str] = set()

        async def noting(items: Sequence[Notification]) -> int:
            seen.update(item.upstream_id for item in items if item.upstream_id in waiting)
            return await take(items)

        swept = await sweep(site.inbox, noting, to_end=to_end, since=since)
        gone = await self._confirmed(self._gone(waiting, seen, began, whole=swept.whole))
        if gone and (number := await site.ledger.read_upstream(site.key, gone, "list")):
            log.info("read_upstream", account=site.key.name, alerts=number)
        return swept

    async def _confirmed(self, gone: list[str]) -> list[str]:
        """Return those of which the vendor does not say otherwise, where it has a call for one; the rest come later."""
        return [each for each in gone[:_MOST_ASKED] if not await self._site.inbox.is_unread(each)]

    def _gone(self, waiting: set[str], seen: set[str], began: datetime, *, whole: bool) -> list[str]:
        """Follow one reading of the list; return what is now sure to be read."""
        listed = {each: since for each, since in self._listed.items() if each in waiting}
        listed |= dict.fromkeys(seen, None)
        self._listed = listed
        if not whole:
            return []
        missing = [each for each in listed if each not in seen]
        gone = [each for each in missing if (since := listed[each]) is not None and began - since >= FOR_SURE]
        self._listed |= {each: listed[each] or began for each in missing}
        return gone
