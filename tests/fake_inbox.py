"""A vendor without a network, held to the same contract as the real client (tests/contract/test_inbox.py)."""

from __future__ import annotations

import asyncio
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext
from typing import TYPE_CHECKING

from bellwire.apis.gate import Gate
from bellwire.errors import RejectedError, SourceError
from bellwire.model import MarkOutcome, MarkResult, Notification, Page, Severity, StreamItem

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence
    from datetime import datetime

    from bellwire.ports import Clock

Batch = list[StreamItem]


def item(upstream_id: str, created_at: datetime | None = None, severity: Severity = Severity.WARNING) -> Notification:
    return Notification(
        upstream_id=upstream_id, type="alert", severity=severity, title=upstream_id, created_at=created_at
    )


class FakeStream:
    """An open stream: what the test puts in comes out."""

    def __init__(self, last_event_id: str | None) -> None:
        self.last_event_id = last_event_id
        self.retry: float | None = None  # seconds
        self._batches: asyncio.Queue[Batch | SourceError | None] = asyncio.Queue()

    def put(self, batch: Batch | SourceError | None) -> None:
        self._batches.put_nowait(batch)

    async def batches(self) -> AsyncIterator[Batch]:
        while (batch := await self._batches.get()) is not None:
            if isinstance(batch, SourceError):
                raise batch
            yield batch


class FakeInbox:
    """`bellwire.ports.Inbox` over a list in memory. Newest first, as vendors have it."""

    def __init__(self, clock: Clock, *, page_size: int = 3) -> None:
        self.unread: list[Notification] = []
        self.read: list[str] = []
        self.streams: list[FakeStream] = []
        self.calls: list[str] = []
        self.list_error: SourceError | None = None
        self.stream_error: SourceError | None = None
        self.counts = True
        self.hidden: int | None = None  # so many unread ones are on no page
        self._gate = Gate(clock)
        self._page_size = page_size
        self._refused: Callable[[], None] = self._gate.admitted  # nobody, yet

    def on_refusal(self, refused: Callable[[], None], admitted: Callable[[], None]) -> None:
        self._refused, self._gate.admitted = refused, admitted

    def emit(self, *items: Notification, streamed: bool = True, listed: bool = True) -> None:
        if listed:
            self.unread[:0] = reversed(items)
        if streamed:
            for stream in self.streams:
                stream.put(list(items))

    @property
    def hindrance(self) -> str | None:
        return self._gate.hindrance

    async def ready(self) -> None:
        await self._gate.open()

    def line_up(self, begin: Callable[[], None]) -> None:
        begin()

    def listing(self) -> AbstractContextManager[None]:
        return nullcontext()

    async def page(self, cursor: str | None = None) -> Page:
        await self._call("page")
        start = int(cursor or 0)
        end = start + self._page_size
        items = tuple(self.unread[start:end])
        return Page(
            items=items,
            next_cursor=str(end) if end < len(self.unread) else None,
            total=len(self.unread),
            by_offset=True,
        )

    async def unread_count(self) -> int | None:
        if not self.counts:
            return None
        await self._call("unread_count")
        return len(self.unread)

    async def listable(self) -> int | None:
        return None if self.hidden is None else len(self.unread) + self.hidden

    async def is_unread(self, upstream_id: str) -> bool | None:
        await self._call("one")
        return any(each.upstream_id == upstream_id for each in self.unread)

    @asynccontextmanager
    async def stream(self, last_event_id: str | None) -> AsyncIterator[FakeStream]:
        await self._call("stream")
        stream = FakeStream(last_event_id)
        self.streams.append(stream)
        try:
            yield stream
        finally:
            self.streams.remove(stream)

    async def mark_read(self, upstream_ids: Sequence[str]) -> list[MarkResult]:
        results = [await self._mark(upstream_id) for upstream_id in upstream_ids]
        if self._gate.refuses:
            self._refused()
        return results

    async def _mark(self, upstream_id: str) -> MarkResult:
        outcome, detail = MarkOutcome.CONFIRMED, ""
        try:
            await self._call("mark")
        except RejectedError as error:
            outcome, detail = MarkOutcome.FAILED, str(error)
        except SourceError as error:
            outcome, detail = MarkOutcome.RETRY, str(error)
        else:
            self.unread = [each for each in self.unread if each.upstream_id != upstream_id]
            self.read.append(upstream_id)
        return MarkResult(upstream_id=upstream_id, outcome=outcome, detail=detail)

    async def _call(self, name: str) -> None:
        async with self._gate.passage():
            self.calls.append(name)
            await asyncio.sleep(0)  # a real call lets others run
            error = self.stream_error if name == "stream" else self.list_error
            if error is not None:
                raise error
