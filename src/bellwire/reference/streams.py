"""Streams of server-sent events: each follows one inbox, is pushed to at once, and can be closed from outside."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from starlette.responses import Response

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence
    from contextlib import AbstractContextManager

    from starlette.types import Receive, Scope, Send

    from bellwire.reference.store import Inbox, StoredItem

_BATCH = 500  # items in one chunk at most: what a slow reader makes us hold


@dataclass(eq=False, kw_only=True, slots=True)
class OpenStream:
    """One stream that a client has open. ``sent`` counts its items; setting ``closing`` ends it."""

    inbox: Inbox
    sent: int = 0
    closing: asyncio.Event = field(default_factory=asyncio.Event)


class Streams:
    """All open streams."""

    def __init__(self) -> None:
        self._open: set[OpenStream] = set()
        self._changed = asyncio.Event()

    def matching(self, api: str | None = None, user: str | None = None) -> list[OpenStream]:
        """Return the open streams of an API, a user, both, or all of them."""
        return [
            stream
            for stream in self._open
            if api in {None, stream.inbox.api} and user in {None, stream.inbox.user} and not stream.closing.is_set()
        ]

    def close(self, api: str | None = None, user: str | None = None) -> int:
        """Begin to close the streams that match and return how many there are."""
        streams = self.matching(api, user)
        for stream in streams:
            stream.closing.set()
        return len(streams)

    async def wait(self, inbox: Inbox, count: int) -> None:
        """Wait until exactly so many streams of the inbox are open."""
        while len(self.matching(inbox.api, inbox.user)) != count:
            await self._changed.wait()

    @contextmanager
    def opened(self, inbox: Inbox) -> Iterator[OpenStream]:
        """Count a stream as open for as long as this lasts."""
        stream = OpenStream(inbox=inbox)
        self._open.add(stream)
        self._tell()
        try:
            yield stream
        finally:
            self._open.remove(stream)
            self._tell()

    def _tell(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()


@dataclass(frozen=True, kw_only=True, slots=True)
class Dialect:
    """How a vendor writes its stream: items to bytes, and what it sends after ``interval`` silent seconds."""

    encode: Callable[[Sequence[StoredItem]], bytes]
    keep_alive: bytes
    interval: float


class Followed(Protocol):
    """What a stream follows: the store, or a view of it."""

    @property
    def position(self) -> int:
        """The sequence number of the newest item."""
        ...

    def since(self, inbox: Inbox, position: int, limit: int = -1) -> list[StoredItem]:
        """Return items after a sequence number, oldest first."""
        ...

    def watch(self, inbox: Inbox) -> AbstractContextManager[asyncio.Event]:
        """Give an event that is set whenever there is more."""
        ...


class EventStream(Response):
    """An answer that goes on until the client leaves or the stream is closed.

    ``after`` is the sequence number to go on from; without it only what is created from now on is sent. It is fixed
    before the first byte of the answer leaves, so nothing that is created after the client saw the answer is missed.
    """

    media_type = "text/event-stream"

    def __init__(
        self, store: Followed, streams: Streams, inbox: Inbox, dialect: Dialect, *, after: int | None = None
    ) -> None:
        super().__init__(headers={"Cache-Control": "no-cache", "X-Accel-Buffering": "no"})
        del self.headers["content-length"]  # it has no end that could be told in advance
        self._store = store
        self._streams = streams
        self._inbox = inbox
        self._dialect = dialect
        self._after = after

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send until someone has enough."""
        del scope
        with self._streams.opened(self._inbox) as stream, self._store.watch(self._inbox) as woken:
            position = self._store.position if self._after is None else self._after
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            tasks = {
                asyncio.create_task(self._push(stream, woken, position, send), name="reference stream"),
                asyncio.create_task(_gone(receive), name="reference stream reader"),
                asyncio.create_task(stream.closing.wait(), name="reference stream closing"),
            }
            try:
                await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            finally:
                await _end(tasks)
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _push(self, stream: OpenStream, woken: asyncio.Event, position: int, send: Send) -> None:
        while True:
            woken.clear()
            items = self._store.since(self._inbox, position, _BATCH)
            if items:
                position = items[-1].seq
                stream.sent += len(items)
                chunk = self._dialect.encode(items)
            elif await _set_within(woken, self._dialect.interval):
                continue
            else:
                chunk = self._dialect.keep_alive
            await send({"type": "http.response.body", "body": chunk, "more_body": True})


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _set_within(event: asyncio.Event, seconds: float) -> bool:
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return False
    return True


async def _end(tasks: Collection[asyncio.Task[Any]]) -> None:
    for task in tasks:
        task.cancel()
    for result in await asyncio.gather(*tasks, return_exceptions=True):
        if isinstance(result, Exception):
            raise result
