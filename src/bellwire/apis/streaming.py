"""Opening a vendor's stream, over either of two ways, and reading it."""

from __future__ import annotations

import asyncio
import zlib
from typing import TYPE_CHECKING, Protocol, Self

import aiohttp
from yarl import URL

from bellwire.apis.answers import stream_refusal, translated
from bellwire.apis.sse import Oversized, SseParser
from bellwire.errors import StreamRefusedError
from bellwire.model import Discard
from bellwire.wire import lines_of, request

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping
    from datetime import datetime

    from bellwire.apis.dialect import Call, Dialect
    from bellwire.apis.sse import ServerSentEvent
    from bellwire.listening import Listening
    from bellwire.model import StreamItem
    from bellwire.wire import Address

HEADERS = {"Accept": "text/event-stream", "Accept-Encoding": "identity", "Cache-Control": "no-store"}

_PLAIN = frozenset({"", "identity"})
_PACKED = frozenset({"gzip", "x-gzip", "deflate"})
_MOST_AT_ONCE = 65_536  # bytes that are unpacked of a piece at a time


class Bytes(Protocol):
    """What a stream is read from."""

    async def read(self) -> bytes:
        """Return what came, b"" at the end."""
        ...

    def close(self) -> None:
        """End it at once."""
        ...


class Unpacking:
    """Bytes that the vendor packed, though it was asked not to."""

    def __init__(self, packed: Bytes) -> None:
        self._packed = packed
        self._unpacker = zlib.decompressobj(wbits=47)  # gzip or zlib, whichever it is
        self._rest = b""

    async def read(self) -> bytes:
        """Return what came, a bounded part of it at a time. ValueError if it cannot be unpacked."""
        while True:
            if self._rest:
                await asyncio.sleep(0)  # a little may become so much that nobody else would ever have a turn
            packed = self._rest or await self._packed.read()
            if not packed:
                return b""
            try:
                piece = self._unpacker.decompress(packed, _MOST_AT_ONCE)
            except zlib.error:
                message = "cannot be unpacked"
                raise ValueError(message) from None
            self._rest = self._unpacker.unconsumed_tail
            if self._unpacker.eof:  # what follows is packed by itself
                self._rest, self._unpacker = self._unpacker.unused_data, zlib.decompressobj(wbits=47)
            if piece:
                return piece

    def close(self) -> None:
        """End it at once."""
        self._packed.close()


class OverSession:
    """An answer that came through aiohttp, which a proxy needs."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response

    async def read(self) -> bytes:
        """Return what came."""
        return await self._response.content.readany()

    def close(self) -> None:
        """End it at once."""
        self._response.close()


async def open_over_session(
    session: aiohttp.ClientSession, call: Call, url: str, headers: Mapping[str, str], patience: float, wall: datetime
) -> Bytes:
    """Open a stream; it is silent after ``patience`` seconds without bytes."""
    response = await session.request(
        call.method,
        URL(url, encoded=True),
        headers=headers,
        allow_redirects=False,
        skip_auto_headers=("Content-Type",),
        timeout=aiohttp.ClientTimeout(total=None, sock_read=patience),
    )
    if error := stream_refusal(call, response.status, response.headers, wall):
        response.close()
        raise error
    return OverSession(response)


async def open_directly(
    listening: Listening, call: Call, address: Address, headers: Mapping[str, str], wall: datetime
) -> Bytes:
    """Open a stream over a connection of its own."""
    try:
        written = request(call.method, address.target, lines_of(address, headers), b"")
        status, given = await listening.ask(written)
        return _accepted(call, listening, status, given, wall)
    except BaseException:
        listening.close()
        raise


def _accepted(call: Call, listening: Listening, status: int, given: Mapping[str, str], wall: datetime) -> Bytes:
    if error := stream_refusal(call, status, given, wall):
        raise error
    packing = given.get("Content-Encoding", "").strip().lower()
    if packing in _PLAIN:
        return listening
    if packing in _PACKED:
        return Unpacking(listening)
    message = f"{call}: answered with a stream that is packed in a way of its own"
    raise StreamRefusedError(message, reason="packed")


class Opening:
    """A stream, from when it is entered: `HttpStream`. A class, since thousands are open at once and a generator is large."""

    __slots__ = ("_opened", "_opening")

    def __init__(self, opening: Callable[[], Coroutine[None, None, HttpStream]]) -> None:
        self._opening: Callable[[], Coroutine[None, None, HttpStream]] | None = opening
        self._opened: HttpStream | None = None

    async def __aenter__(self) -> HttpStream:
        opening, self._opening = self._opening, None
        assert opening is not None
        self._opened = await opening()
        return self._opened

    async def __aexit__(self, *_: object) -> None:
        if self._opened is not None:
            self._opened.close()


class HttpStream:
    """`bellwire.ports.Stream` over an answer that does not end."""

    __slots__ = ("_bytes", "_call", "_dialect", "_last_event_id", "_parser", "_retry")

    def __init__(self, call: Call, source: Bytes, dialect: Dialect, last_event_id: str | None) -> None:
        self._call = call
        self._bytes = source
        self._dialect = dialect
        self._last_event_id = last_event_id
        self._parser = SseParser()
        self._retry: float | None = None

    def close(self) -> None:
        """Close its connection."""
        self._bytes.close()

    @property
    def last_event_id(self) -> str | None:
        """The id to resume from."""
        return self._last_event_id

    @property
    def retry(self) -> float | None:
        """The vendor's wish for the pause before the next attempt, in seconds."""
        return self._retry

    def batches(self) -> HttpStream:
        """Yield what each read brought; what arrives meanwhile waits in the socket, so that memory stays bounded."""
        return self

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> list[StreamItem]:
        try:
            piece = await self._bytes.read()
        except Exception as error:  # a manager around each wait would be one more thing that every stream keeps
            with translated(self._call, late="stalled"):
                raise error from None
        if not piece:
            raise StopAsyncIteration
        parser = self._parser
        found = [item for event in parser.feed(piece) if (item := self._item(event)) is not None]
        self._last_event_id = parser.last_event_id or self._last_event_id
        self._retry = None if parser.retry is None else parser.retry / 1000
        return found

    def _item(self, event: ServerSentEvent | Oversized) -> StreamItem | None:
        if isinstance(event, Oversized):
            return Discard(reason="oversized", detail=f"more than {event.limit} bytes")
        if not event.data:
            return None  # a keep-alive
        try:
            return self._dialect.read_event(event)
        except Exception as error:  # noqa: BLE001  # one event must not end the stream: the list has its item too
            return Discard(reason="unreadable", detail=type(error).__name__)
