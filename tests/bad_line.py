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
            filler = _socket()
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
        loop, readable = asyncio.get_running_loop(), asyncio.Event()
        loop.add_reader(listener, readable.set)
        try:
            while True:
                await readable.wait()
                readable.clear()
                with contextlib.suppress(BlockingIOError, ConnectionError):
                    while True:  # nothing is awaited with a connection in hand: a cut would lose it unclosed
                        self._take(listener.accept()[0])
        finally:
            loop.remove_reader(listener)

    def _take(self, client: socket.socket) -> None:
        client.setblocking(False)  # noqa: FBT003 - the standard library's way
        self.connections += 1
        task = asyncio.create_task(self._serve(client))
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)
        task.add_done_callback(lambda _task: client.close())  # one that is cut before its first step closes nothing

    async def _serve(self, client: socket.socket) -> None:
        try:
            with contextlib.suppress(OSError):
                if self.spoilt is Spoilt.BABBLES:
                    await _send(client, b"\x15\x03\x00 what did you say?\r\n\r\n")
                elif self.spoilt not in {Spoilt.RESET, Spoilt.HANGS_UP}:
                    await self._pass_on(client)
        finally:
            if self.spoilt in {Spoilt.RESET, Spoilt.LOST}:
                # A linger of 0 seconds: the other side is told of a reset, not of an end.
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            client.close()

    async def _pass_on(self, client: socket.socket) -> None:
        with _socket() as server:
            await asyncio.get_running_loop().sock_connect(server, ("127.0.0.1", self._target))
            request = asyncio.create_task(_copy(client, server))
            try:
                await self._answer(server, client)
            finally:
                request.cancel()
                await asyncio.gather(request, return_exceptions=True)

    async def _answer(self, server: socket.socket, client: socket.socket) -> None:
        while piece := await asyncio.get_running_loop().sock_recv(server, _BUFFER):
            match self.spoilt:
                case Spoilt.MUTE:
                    continue
                case Spoilt.LOST:
                    return
                case Spoilt.HALF:
                    await _send(client, piece[:_STATUS_LINE])
                    return
                case Spoilt.SLOW:
                    await _drip(client, piece)
                case _:
                    await _send(client, piece)


async def _send(there: socket.socket, data: bytes) -> None:
    await asyncio.get_running_loop().sock_sendall(there, data)


async def _copy(client: socket.socket, server: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while piece := await asyncio.get_running_loop().sock_recv(client, _BUFFER):
            await _send(server, piece)
        server.shutdown(socket.SHUT_WR)


async def _drip(client: socket.socket, piece: bytes) -> None:
    nothing = asyncio.Event()
    for place in range(len(piece)):
        await _send(client, piece[place : place + 1])
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(nothing.wait(), _DRIP)


def _socket() -> socket.socket:
    made = socket.socket()
    made.setblocking(False)  # noqa: FBT003 - the standard library's way
    return made


def _bound(port: int) -> socket.socket:
    bound = _socket()
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    bound.bind(("127.0.0.1", port))
    return bound
