"""An answer that does not end, read as it comes, with as little kept for it as can be while nothing comes.

For streams that are open by the thousand: a connection each, and no timer of its own. How long the other side has been
silent is watched for all of them together.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from typing import TYPE_CHECKING, cast

import httptools
from multidict import CIMultiDict

from bellwire.wire import BrokenOffError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bellwire.dialing import Dialer, Origin

_HEAD_BYTES = 65_536
_FINAL = 200  # a status below it is followed by another
_ENOUGH = 131_072  # bytes that wait to be read: more stay in the socket
_FRAMING = {b"content-length", b"transfer-encoding"}  # one of them says where an answer ends


class Listener:
    """Opens connections to listen on; whoever asked for one closes it."""

    def __init__(self, dialer: Dialer) -> None:
        self._dialer = dialer
        self._silences: dict[float, Silence] = {}

    async def listen(self, origin: Origin, connect: float, patience: float) -> Listening:
        """Connect within so many seconds; silent is who sends nothing for ``patience``. Raises `UnreachedError`."""
        silence = self._silences.get(patience)
        if silence is None:
            silence = self._silences[patience] = Silence(patience)
        return await self._dialer.connect(origin, connect, lambda: Listening(silence))


class Silence:
    """Ends what has been silent for so many seconds."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._heard: OrderedDict[Listening, float] = OrderedDict()  # whom nothing was heard of for longest is first
        self._timer: asyncio.TimerHandle | None = None

    def hear(self, listening: Listening) -> None:
        """Take note that something came."""
        loop = asyncio.get_running_loop()
        self._heard[listening] = loop.time()
        self._heard.move_to_end(listening)
        if self._timer is None:
            self._timer = loop.call_later(self._seconds, self._look)

    def forget(self, listening: Listening) -> None:
        """Watch it no more."""
        self._heard.pop(listening, None)
        if not self._heard and self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self) -> None:
        loop = asyncio.get_running_loop()
        self._timer = None
        while self._heard:
            listening, heard = next(iter(self._heard.items()))
            if heard + self._seconds > loop.time():
                self._timer = loop.call_at(heard + self._seconds, self._look)
                return
            del self._heard[listening]
            listening.fall_silent()


class Listening(asyncio.Protocol):
    """One connection with one answer."""

    __slots__ = (
        "__weakref__",
        "_bare",
        "_error",
        "_held",
        "_lines",
        "_parser",
        "_pieces",
        "_seen",
        "_silence",
        "_size",
        "_status",
        "_transport",
        "_waiter",
    )

    def __init__(self, silence: Silence) -> None:
        self._silence = silence
        self._transport: asyncio.Transport | None = None
        self._parser: httptools.HttpResponseParser | None = httptools.HttpResponseParser(self)
        self._lines: list[tuple[bytes, bytes]] | None = []
        self._status = 0
        self._pieces: list[bytes] = []  # of the body, not read yet
        self._size = 0  # of them
        self._bare = 0  # bytes that came since the last piece: of the head, or of what is no part of the body
        self._held = False  # the rest is left in the socket
        self._seen = False  # the head is whole
        self._error: Exception | None = None  # how it ended; EOFError: well
        self._waiter: asyncio.Future[None] | None = None

    @property
    def is_held(self) -> bool:
        """Whether so much waits to be read that the rest is left in the socket."""
        return self._held

    async def ask(self, written: bytes) -> tuple[int, Mapping[str, str]]:
        """Write a request; return status and headers of its answer. Raises `BrokenOffError`."""
        assert self._transport is not None
        self._transport.write(written)
        while not self._seen:
            if self._error is not None:
                message = "the connection ended"
                raise BrokenOffError(message)
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
        lines, self._lines = self._lines or [], None
        self._silence.hear(self)
        return self._status, CIMultiDict([(name.decode("latin-1"), value.decode("latin-1")) for name, value in lines])

    async def read(self) -> bytes:
        """Return what has come, b"" at the end. Raises `BrokenOffError`, and TimeoutError after too long a silence."""
        while not self._pieces:
            if isinstance(self._error, EOFError):
                return b""
            if self._error is not None:
                raise self._error
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
        pieces, self._pieces, self._size = self._pieces, [], 0
        if self._held and self._transport is not None:
            self._held = False
            self._silence.hear(self)
            self._transport.resume_reading()
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def close(self) -> None:
        """Close the connection at once."""
        self._silence.forget(self)
        if self._transport is not None:
            self._transport.abort()

    def fall_silent(self) -> None:
        """End, for nothing came for too long; while the rest is left in the socket, nothing can."""
        if not self._held:
            self._end(TimeoutError())

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Take in what came."""
        if self._error is not None:
            return
        if self._seen:
            self._silence.hear(self)
        if self._parser is None:
            self.on_body(data)
        else:
            self._parse(data)
        if self._size > _ENOUGH and not self._held and self._seen and self._transport is not None:
            self._held = True
            self._transport.pause_reading()
        self._wake()

    def connection_lost(self, exc: Exception | None) -> None:
        """End. Where nothing says how long the answer is, this is its end."""
        del exc
        whole = self._seen and self._parser is None
        self._end(EOFError() if whole else BrokenOffError("the connection ended"))
        self._transport = None

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take in a header: as all that begins with ``on_``, httptools calls this."""
        if self._lines is not None and not self._seen:
            self._lines.append((name, value))

    def on_headers_complete(self) -> None:
        """Take in the status, unless another one is to follow."""
        assert self._parser is not None
        status = self._parser.get_status_code()
        if status >= _FINAL:
            self._status = status
            self._seen = True
        elif self._lines is not None:
            self._lines.clear()

    def on_body(self, data: bytes) -> None:
        """Keep a piece until it is read."""
        self._pieces.append(data)
        self._size += len(data)

    def on_message_complete(self) -> None:
        """End well."""
        if self._seen and self._error is None:
            self._end(EOFError())

    def _parse(self, data: bytes) -> None:
        assert self._parser is not None
        before = len(self._pieces)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._end(BrokenOffError("no HTTP"))
        self._bare = self._bare + len(data) if len(self._pieces) == before else 0
        if self._bare > _HEAD_BYTES:  # the parser keeps a header, or a trailer, until it is whole
            self._end(BrokenOffError("a head without end"))
        elif self._seen and self._lines is not None and not _FRAMING.intersection(n.lower() for n, _ in self._lines):
            self._parser = None  # all that follows is body: nothing is left to be parsed

    def _end(self, error: Exception) -> None:
        if self._error is None:
            self._error = error
        self._silence.forget(self)
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None:
            waiter, self._waiter = self._waiter, None
            if not waiter.done():
                waiter.set_result(None)
