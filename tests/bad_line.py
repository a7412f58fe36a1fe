"""A line to a receiver that can be spoilt: a port before it, on real sockets, whose every way of failing is one word."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from enum import StrEnum
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from types import TracebackType

_STATUS_LINE = 12  # "HTTP/1.1 200": an answer that ends here says nothing yet
_DRIP = 0.05  # seconds between two bytes of a slow answer
_BUFFER = 65_536


class Spoilt(StrEnum):
    """What is wrong with a line. The request reaches the receiver in the last five."""

    REFUSED = "refused"
    RESET = "reset"
    BLACK_HOLE = "black_hole"  # not even the connection comes about
    HANGS_UP = "hangs_up"
    BABBLES = "babbles"  # it answers, in no protocol that anybody knows
    DEAF = "deaf"  # slow to accept: what was sent meanwhile is read once the line is mended
    MUTE = "mute"  # no answer ever comes
    SLOW = "slow"  # it comes byte by byte
    HALF = "half"  # it breaks off
    LOST = "lost"  # the connection is reset before it

    @property
    def reaches(self) -> bool:
        """Whether the receiver gets requests that the sender has no answer to."""
        return self in {Spoilt.DEAF, Spoilt.MUTE, Spoilt.SLOW, Spoilt.HALF, Spoilt.LOST}


class Line:
    """Listens on ``port`` and passes everything on to a server on loopback, as well as `spoilt` lets it."""

    def __init__(self, target: int) -> None:
        self.spoilt: Spoilt | None = None
        self.connections = 0
        self._target = target
        self._place = _bound(0)  # never listens: it keeps the port ours while nothing does
        self.port = int(self._place.getsockname()[1])
        self._listener: socket.socket | None = None
        self._fillers: list[socket.socket] = []
        self._accepting: asyncio.Task[None] | None = None
        self._serving: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        await self.be(None)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._cut()
        self._close()
        self._place.close()

    async def be(self, spoilt: Spoilt | None) -> None:
        """Fail this way from now on; None: be a good line again. Connections that are open are cut."""
        was, self.spoilt = self.spoilt, spoilt
        await self._cut()
        if was is not Spoilt.DEAF:
            self._close()
        if spoilt is Spoilt.REFUSED:
            return
        if self._listener is None:
            self._listener = _bound(self.port)
            self._listener.listen(0 if spoilt is Spoilt.BLACK_HOLE else 1024)
        if spoilt is Spoilt.BLACK_HOLE:
            self._fill()
        elif spoilt is not Spoilt.DEAF:
            self._accepting = asyncio.create_task(self._accept(self._listener))

    async def lead_to(self, target: int) -> None:
        """Lead to another server. Connections that are open are cut."""
        self._target = target
        await self.be(self.spoilt)

    def _fill(self) -> None:
        """Take every place of the backlog, so that the kernel answers nobody."""
        for _ in range(3):
            filler = socket.socket()
            filler.setblocking(False)  # noqa: FBT003 - the standard library's way
            with contextlib.suppress(BlockingIOError):
                filler.connect(("127.0.0.1", self.port))
            self._fillers.append(filler)

    def _close(self) -> None:
        for each in (*self._fillers, self._listener):
            if each is not None:
                each.close()
        self._fillers, self._listener = [], None

    async def _cut(self) -> None:
        tasks = [task for task in (self._accepting, *self._serving) if task is not None]
        self._accepting = None
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _accept(self, listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            client, _ = await loop.sock_accept(listener)
            self.connections += 1
            task = asyncio.create_task(self._serve(client))
            self._serving.add(task)
            task.add_done_callback(self._serving.discard)

    async def _serve(self, client: socket.socket) -> None:
        if self.spoilt is Spoilt.RESET:
            _reset(client)
            return
        if self.spoilt is Spoilt.HANGS_UP:
            client.close()
            return
        reader, writer = await asyncio.open_connection(sock=client)
        try:
            with contextlib.suppress(OSError):
                if self.spoilt is Spoilt.BABBLES:
                    writer.write(b"\x15\x03\x00 what did you say?\r\n\r\n")
                    await writer.drain()
                else:
                    await self._pass_on(reader, writer)
        finally:
            if self.spoilt is Spoilt.LOST:
                _linger(writer.get_extra_info("socket"))
            writer.transport.abort()

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", self._target)
        request = asyncio.create_task(_copy(reader, back))
        try:
            await self._answer(there, writer)
        finally:
            request.cancel()
            await asyncio.gather(request, return_exceptions=True)
            back.transport.abort()

    async def _answer(self, there: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while piece := await there.read(_BUFFER):
            match self.spoilt:
                case Spoilt.MUTE:
                    continue
                case Spoilt.LOST:
                    return
                case Spoilt.HALF:
                    writer.write(piece[:_STATUS_LINE])
                    await writer.drain()
                    return
                case Spoilt.SLOW:
                    await _drip(piece, writer)
                case _:
                    writer.write(piece)
                    await writer.drain()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while piece := await reader.read(_BUFFER):
            writer.write(piece)
            await writer.drain()
        writer.write_eof()


async def _drip(piece: bytes, writer: asyncio.StreamWriter) -> None:
    nothing = asyncio.Event()
    for place in range(len(piece)):
        writer.write(piece[place : place + 1])
        await writer.drain()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(nothing.wait(), _DRIP)


def _bound(port: int) -> socket.socket:
    bound = socket.socket()
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    bound.bind(("127.0.0.1", port))
    bound.setblocking(False)  # noqa: FBT003 - the standard library's way
    return bound


def _linger(connected: socket.socket) -> None:
    # 0 seconds: what was not sent is thrown away, and the other side is told of a reset, not of an end
    connected.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def _reset(client: socket.socket) -> None:
    _linger(client)
    client.close()
