"""Answers that do not end, read over a connection of their own, from servers that do what servers do."""

from __future__ import annotations

import asyncio
import ssl
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from bellwire.dialing import Dialer, Origin, UnreachedError
from bellwire.listening import Listener, Listening
from bellwire.wire import BrokenOffError
from channel_rigs import a_server

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
OPEN = HEAD + b"\r\n"
REQUEST = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


class Server:
    """Writes each of ``pieces`` once it is asked for; then closes, unless it is to stay."""

    def __init__(self, *pieces: bytes, stays: bool = False) -> None:
        self.pieces = pieces
        self.stays = stays
        self.gone = asyncio.Event()
        self.written = asyncio.Event()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        for piece in self.pieces:
            writer.write(piece)
            await asyncio.sleep(0)  # each in a segment of its own, most often
        self.written.set()
        if self.stays:
            await reader.read()
            self.gone.set()


@asynccontextmanager
async def listening_to(server: Server, patience: float = 10.0) -> AsyncIterator[Listening]:
    listener = Listener(Dialer(ssl.create_default_context()))
    async with a_server(server.serve) as port:
        listening = await listener.listen(Origin("127.0.0.1", port, secure=False), 5.0, patience)
        try:
            yield listening
        finally:
            listening.close()


async def all_of(listening: Listening) -> bytes:
    found = b""
    async with asyncio.timeout(10):
        while piece := await listening.read():
            found += piece
    return found


@pytest.mark.parametrize(
    "pieces",
    [
        [OPEN, b"da", b"ta"],
        [OPEN + b"data"],
        [CHUNKED + b"2\r\nda\r\n", b"2\r\nta\r\n0\r\n\r\n"],
        [b"HTTP/1.1 103 Early Hints\r\nContent-Length: 9\r\n\r\n" + OPEN, b"data"],
        [HEAD + b"Content-Length: 4\r\n\r\nda", b"ta"],
    ],
    ids=["to the end", "at once", "in chunks", "after an interim answer", "of a length"],
)
async def test_an_answer_of_any_form_is_read_to_its_end(pieces: list[bytes]) -> None:
    async with listening_to(Server(*pieces)) as listening:
        status, headers = await listening.ask(REQUEST)
        assert (status, headers["content-type"]) == (200, "text/event-stream")
        assert await all_of(listening) == b"data"
        assert await listening.read() == b""


@pytest.mark.parametrize("rest", [b"2\r\nda\r\n", b"5\r\nda", b"no chunk\r\n"], ids=["no end", "half", "no chunk"])
async def test_chunks_that_break_off_are_no_end(rest: bytes) -> None:
    async with listening_to(Server(CHUNKED, rest)) as listening:
        await listening.ask(REQUEST)
        with pytest.raises(BrokenOffError):
            await all_of(listening)


async def test_what_comes_behind_the_body_without_an_end_is_given_up() -> None:
    async with listening_to(Server(CHUNKED + b"2\r\nda\r\n0\r\nX: ", b"y" * 1_000_000, stays=True)) as listening:
        await listening.ask(REQUEST)
        assert await listening.read() == b"da"
        with pytest.raises(BrokenOffError):
            await all_of(listening)


@pytest.mark.parametrize(
    "answer",
    [b"", b"no HTTP at all\r\n\r\n", b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 20_000],
    ids=["none", "no HTTP", "long"],
)
async def test_without_a_whole_head_there_is_no_answer(answer: bytes) -> None:
    async with listening_to(Server(answer)) as listening:
        with pytest.raises(BrokenOffError):
            await listening.ask(REQUEST)


async def test_who_is_silent_for_too_long_is_given_up_and_what_came_before_is_read() -> None:
    async with listening_to(Server(OPEN, b"data", stays=True), patience=0.1) as listening:
        await listening.ask(REQUEST)
        assert await listening.read() == b"data"
        with pytest.raises(TimeoutError):
            await all_of(listening)


async def test_each_sign_of_life_counts_anew() -> None:
    loop = asyncio.get_running_loop()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(OPEN)
        for _ in range(6):
            await asyncio.sleep(0.1)
            writer.write(b".")
        await reader.read()

    server = Server()
    server.serve = serve  # type: ignore[method-assign]  # a server of its own kind
    async with listening_to(server, patience=0.3) as listening:
        await listening.ask(REQUEST)
        began = loop.time()
        with pytest.raises(TimeoutError):
            await all_of(listening)
        assert loop.time() - began > 0.8


async def test_what_nobody_reads_stays_in_the_socket_and_is_no_silence() -> None:
    much = b"x" * 30_000_000
    server = Server(OPEN, much)
    async with listening_to(server) as listening:
        await listening.ask(REQUEST)
        await server.written.wait()
        async with asyncio.timeout(10):
            while not listening.is_held:  # noqa: ASYNC110  # nobody tells of it
                await asyncio.sleep(0)
        listening.fall_silent()  # as when nothing was heard, since nothing was listened to
        assert len(await listening.read()) < 2_000_000
        assert len(await all_of(listening)) > 25_000_000


async def test_closing_ends_the_connection() -> None:
    server = Server(OPEN, stays=True)
    async with listening_to(server) as listening:
        await listening.ask(REQUEST)
        listening.close()
        async with asyncio.timeout(10):
            await server.gone.wait()


async def test_a_reading_that_is_cancelled_loses_nothing() -> None:
    server = Server(OPEN, stays=True)
    async with listening_to(server) as listening:
        await listening.ask(REQUEST)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await listening.read()
        listening.data_received(b"data")
        assert await listening.read() == b"data"


async def test_nobody_there_has_a_reason() -> None:
    listener = Listener(Dialer(ssl.create_default_context()))
    async with a_server(Server().serve) as port:
        pass
    with pytest.raises(UnreachedError) as caught:
        await listener.listen(Origin("127.0.0.1", port, secure=False), 5.0, 1.0)
    assert caught.value.reason == "connect_error"
