"""A vendor whose ids have a form of their own, for tests that give items names."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence
    from contextlib import AbstractAsyncContextManager

    from bellwire.model import MarkResult, Page
    from bellwire.ports import Inbox, Stream
    from fakes import FakeClock
    from inbox_rigs import Vendor


class Names:
    """Gives the n-th name that it meets the n-th id."""

    def __init__(self, id_of: Callable[[int], str]) -> None:
        self._id_of = id_of
        self._ids: dict[str, str] = {}
        self._names: dict[str, str] = {}

    def id(self, name: str) -> str:
        if name not in self._ids:
            self._ids[name] = self._id_of(len(self._ids))
            self._names[self._ids[name]] = name
        return self._ids[name]

    def name(self, upstream_id: str) -> str:
        return self._names[upstream_id]


class RenamedInbox:
    def __init__(self, inbox: Inbox, names: Names) -> None:
        self._inbox = inbox
        self._names = names
        self.unread_count = inbox.unread_count
        self.listable = inbox.listable
        self.line_up = inbox.line_up
        self.listing = inbox.listing
        self.on_refusal = inbox.on_refusal
        self.ready = inbox.ready

    @property
    def hindrance(self) -> str | None:
        return self._inbox.hindrance

    async def page(self, cursor: str | None = None) -> Page:
        page = await self._inbox.page(cursor)
        items = tuple(replace(each, upstream_id=self._names.name(each.upstream_id)) for each in page.items)
        return replace(page, items=items)

    async def is_unread(self, upstream_id: str) -> bool | None:
        return await self._inbox.is_unread(self._names.id(upstream_id))

    def stream(self, last_event_id: str | None) -> AbstractAsyncContextManager[Stream]:
        return self._inbox.stream(last_event_id)

    async def mark_read(self, upstream_ids: Sequence[str]) -> list[MarkResult]:
        results = await self._inbox.mark_read([self._names.id(each) for each in upstream_ids])
        return [replace(each, upstream_id=self._names.name(each.upstream_id)) for each in results]


class RenamedVendor:
    def __init__(self, vendor: Vendor, names: Names) -> None:
        self.inbox = RenamedInbox(vendor.inbox, names)
        self._vendor = vendor
        self._names = names
        self.discard = vendor.discard
        self.keep_alive = vendor.keep_alive
        self.close_streams = vendor.close_streams
        self.refuse = vendor.refuse
        self.refuse_streams = vendor.refuse_streams
        self.accept = vendor.accept

    def emit(self, *upstream_ids: str) -> None:
        self._vendor.emit(*(self._names.id(each) for each in upstream_ids))

    @property
    def calls(self) -> int:
        return self._vendor.calls

    @property
    def unread(self) -> list[str]:
        return [self._names.name(each) for each in self._vendor.unread]


def renamed(
    opened: Callable[[FakeClock], AbstractAsyncContextManager[Vendor]], id_of: Callable[[int], str]
) -> Callable[[FakeClock], AbstractAsyncContextManager[Vendor]]:
    """Open a vendor under names instead of ids; ``id_of`` makes the id of the n-th name."""

    @asynccontextmanager
    async def opened_renamed(clock: FakeClock) -> AsyncIterator[Vendor]:
        async with opened(clock) as vendor:
            yield RenamedVendor(vendor, Names(id_of))

    return opened_renamed
