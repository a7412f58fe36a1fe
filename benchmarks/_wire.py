"""The least HTTP/1.1 that a benchmark's own ends need: they must never be what is measured.

Requests may come in pieces or many at once; what they ask for is answered in one write. Bodies have a length.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from collections.abc import Callable

    Answer = Callable[[bytes, bytes, bytes, asyncio.Transport], bytes]
    """Takes method, target, body and connection; returns the whole answer, empty if it writes by itself."""

_HEAD_END = b"\r\n\r\n"


def answer(body: bytes = b"", status: bytes = b"200 OK", kind: bytes = b"application/json") -> bytes:
    """Return a whole answer."""
    return b"HTTP/1.1 %b\r\nContent-Type: %b\r\nContent-Length: %d\r\n\r\n%b" % (status, kind, len(body), body)


def body_length(head: bytes) -> int:
    """Return the length that a message's head gives its body."""
    lower = head.lower()
    start = lower.find(b"\r\ncontent-length:")
    if start < 0:
        if b"\r\ntransfer-encoding:" in lower:
            message = "a benchmark's ends read no chunked messages"
            raise NotImplementedError(message)
        return 0
    start += len(b"\r\ncontent-length:")
    end = lower.find(b"\r\n", start)
    return int(lower[start : end if end > 0 else None])


class Served(asyncio.Protocol):
    """One connection to a server."""

    def __init__(self, respond: Answer) -> None:
        self._respond = respond
        self._rest = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is none by its class

    def data_received(self, data: bytes) -> None:
        data = self._rest + data if self._rest else data
        answers = []
        at = 0
        while (head_end := data.find(_HEAD_END, at)) >= 0:
            start = head_end + len(_HEAD_END)
            head = data[at:head_end]
            end = start + body_length(head)
            if end > len(data):
                break
            method, target, _ = head[: head.find(b"\r\n")].split(b" ")
            answers.append(self._respond(method, target, data[start:end], self._transport))
            at = end
        self._rest = data[at:]
        if answers and not self._transport.is_closing():
            self._transport.write(b"".join(answers))


async def serve(respond: Answer, port: int = 0) -> tuple[asyncio.Server, int]:
    """Serve on loopback; return the server and its port."""
    server = await asyncio.get_running_loop().create_server(lambda: Served(respond), "127.0.0.1", port, backlog=4096)
    return server, server.sockets[0].getsockname()[1]


class Poster(asyncio.Protocol):
    """A connection that posts one body after the other; `post` returns the status of its answer."""

    def __init__(self) -> None:
        self._waiting: deque[asyncio.Future[int]] = deque()
        self._rest = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is none by its class

    def data_received(self, data: bytes) -> None:
        self._rest += data
        while (head_end := self._rest.find(_HEAD_END)) >= 0:
            head = self._rest[:head_end]
            end = head_end + len(_HEAD_END) + body_length(head)
            if end > len(self._rest):
                return
            self._rest = self._rest[end:]
            self._waiting.popleft().set_result(int(head[9:12]))

    def connection_lost(self, exc: Exception | None) -> None:
        for waiting in self._waiting:
            waiting.set_exception(exc or ConnectionResetError("the other side hung up"))

    async def post(self, path: str, body: bytes) -> int:
        waiting: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._waiting.append(waiting)
        self._transport.write(
            b"POST %b HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b"
            % (path.encode(), len(body), body)
        )
        return await waiting

    def close(self) -> None:
        self._transport.close()
