"""The short way over HTTP, against servers that answer in every form that HTTP/1.1 has, and in some that it has not."""

from __future__ import annotations

import asyncio
import ssl
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from bellwire.wire import (
    Answer,
    BrokenOffError,
    Limits,
    NoAddressError,
    UnreachedError,
    Wire,
    address_of,
    lines_of,
    request,
)
from channel_rigs import a_server

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

PATIENCE = Limits(total=10, connect=5, answer=1000)


@asynccontextmanager
async def a_wire() -> AsyncIterator[Wire]:
    wire = Wire(ssl.create_default_context())
    try:
        yield wire
    finally:
        wire.close()


async def get(wire: Wire, port: int, limits: Limits = PATIENCE) -> Answer:
    address = address_of(f"http://127.0.0.1:{port}/path?x=1")
    written = request("POST", address.target, lines_of(address, {}), b"body", [("X-Id", "7")])
    return await wire.exchange(address.origin, written, limits)


class Server:
    """Answers each request with the next of ``answers``, and counts connections."""

    def __init__(self, *answers: bytes, closes: bool = False) -> None:
        self.answers = list(answers)
        self.closes = closes
        self.connections = 0
        self.heads: list[bytes] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        while self.answers:
            self.heads.append(await reader.readuntil(b"\r\n\r\n"))
            await reader.readexactly(4)
            writer.write(self.answers.pop(0))
            if self.closes:
                return
        await reader.read()


OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


async def test_a_connection_is_used_again() -> None:
    server = Server(OK, OK, OK)
    async with a_server(server.serve) as port, a_wire() as wire:
        answers = [await get(wire, port) for _ in range(3)]
    assert [(answer.status, answer.body, answer.whole) for answer in answers] == [(200, b"ok", True)] * 3
    assert server.connections == 1


async def test_requests_at_the_same_time_have_a_connection_each() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        await everyone.wait()
        writer.write(OK)

    everyone = asyncio.Barrier(5)
    async with a_server(serve) as port, a_wire() as wire:
        answers = await asyncio.gather(*(get(wire, port) for _ in range(5)))
    assert [answer.body for answer in answers] == [b"ok"] * 5


async def test_what_is_sent_is_what_http_asks_for() -> None:
    server = Server(OK)
    async with a_server(server.serve) as port, a_wire() as wire:
        await get(wire, port)
    first, *lines = server.heads[0].decode().split("\r\n")
    assert first == "POST /path?x=1 HTTP/1.1"
    assert f"Host: 127.0.0.1:{port}" in lines
    assert "Content-Length: 4" in lines
    assert "X-Id: 7" in lines


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\no\r\n1;x=y\r\nk\r\n0\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + OK,
    ],
    ids=["in chunks", "after interim answers"],
)
async def test_an_answer_of_any_form_is_read_and_its_connection_kept(answer: bytes) -> None:
    server = Server(answer, OK)
    async with a_server(server.serve) as port, a_wire() as wire:
        first, second = await get(wire, port), await get(wire, port)
    assert (first.status, first.body, first.whole) == (200, b"ok", True)
    assert "Link" not in first.headers
    assert second.body == b"ok"
    assert server.connections == 1


async def test_an_answer_that_ends_with_its_connection_is_whole() -> None:
    server = Server(b"HTTP/1.1 200 OK\r\nX-A: b\r\n\r\nto the end", closes=True)
    async with a_server(server.serve) as port, a_wire() as wire:
        answer = await get(wire, port)
    assert (answer.body, answer.whole, answer.headers.get("x-a")) == (b"to the end", True, "b")


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
    ],
)
async def test_half_an_answer_has_its_status_and_says_that_it_is_half(answer: bytes) -> None:
    server = Server(answer, closes=True)
    async with a_server(server.serve) as port, a_wire() as wire:
        said = await get(wire, port)
    assert (said.status, said.body, said.whole) == (200, b"half", False)


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
        OK + b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged",
        OK + b"garbage",
    ],
    ids=["close", "1.0", "another answer behind it", "garbage behind it"],
)
async def test_a_connection_that_cannot_be_trusted_is_not_used_again(answer: bytes) -> None:
    server = Server(answer, OK)
    async with a_server(server.serve) as port, a_wire() as wire:
        first, second = await get(wire, port), await get(wire, port)
    assert (first.body, second.body) == (b"ok", b"ok")
    assert server.connections == 2


async def test_what_comes_unasked_ends_the_connection() -> None:
    spoke = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(OK)
        await reader.readexactly(4)
        if not spoke.is_set():
            await go_on.wait()
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged")
            assert await reader.read() == b""
            spoke.set()

    go_on = asyncio.Event()
    async with a_server(serve) as port, a_wire() as wire:
        await get(wire, port)
        go_on.set()
        await spoke.wait()
        assert (await get(wire, port)).body == b"ok"


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 2", b"SSH-2.0-x\r\n\r\n", b"HTTP/1.1 200 OK\r\nA" + b"a" * 200_000])
async def test_without_a_status_the_exchange_was_broken_off(answer: bytes) -> None:
    server = Server(answer, closes=True)
    async with a_server(server.serve) as port, a_wire() as wire:
        with pytest.raises(BrokenOffError):
            await get(wire, port)


async def test_no_more_of_an_answer_is_kept_than_the_limit() -> None:
    server = Server(b"HTTP/1.1 400 No\r\nContent-Length: 100000\r\n\r\n" + b"!" * 100_000, OK)
    async with a_server(server.serve) as port, a_wire() as wire:
        answer = await get(wire, port)
        again = await get(wire, port)
    assert (answer.status, len(answer.body), answer.whole) == (400, 1000, False)
    assert again.body == b"ok"
    assert server.connections == 2


async def test_trailers_without_end_are_not_kept() -> None:
    server = Server(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n" + b"X: y\r\n" * 200_000)
    async with a_server(server.serve) as port, a_wire() as wire:
        answer = await get(wire, port)
    assert (answer.body, answer.whole) == (b"ok", False)
    assert len(answer.lines) < 100_000


async def test_silence_ends_in_time_and_a_status_that_came_before_it_stands() -> None:
    async with a_wire() as wire:
        async with a_server(Server(b"", OK).serve) as port:
            with pytest.raises(TimeoutError):
                await get(wire, port, Limits(total=0.1, connect=0.1, answer=10))
        async with a_server(Server(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", OK).serve) as port:
            answer = await get(wire, port, Limits(total=0.1, connect=0.1, answer=10))
    assert (answer.status, answer.whole) == (200, False)


async def test_a_request_that_is_cancelled_leaves_no_connection_behind() -> None:
    asked, ended = asyncio.Event(), asyncio.Event()

    async def serve(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        asked.set()
        try:
            await reader.read()
        finally:
            ended.set()

    async with a_server(serve) as port, a_wire() as wire:
        task = asyncio.create_task(get(wire, port))
        await asked.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        async with asyncio.timeout(5):
            await ended.wait()


async def test_closing_breaks_off_what_is_under_way() -> None:
    asked = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        asked.set()
        await reader.read()

    async with a_server(serve) as port, a_wire() as wire:
        task = asyncio.create_task(get(wire, port))
        await asked.wait()
        wire.close()
        with pytest.raises(BrokenOffError):
            await task


@pytest.mark.parametrize(
    ("url", "reason"), [("http://127.0.0.1:1/", "connect_error"), ("http://nobody.invalid/", "dns_error")]
)
async def test_nobody_there_has_a_reason(url: str, reason: str) -> None:
    address = address_of(url)
    async with a_wire() as wire:
        with pytest.raises(UnreachedError) as caught:
            await wire.exchange(address.origin, request("GET", "/", b"", b""), PATIENCE)
    assert caught.value.reason == reason


@pytest.mark.parametrize("url", ["nonsense", "ftp://a/x", "http://", "http://[::1", "http://a:99999/", ""])
def test_what_is_no_address_of_the_web_is_refused(url: str) -> None:
    with pytest.raises(NoAddressError):
        address_of(url)


def test_a_url_is_taken_apart_as_browsers_do() -> None:
    address = address_of("https://us%40er:p%3Aw@Bücher.example:444/a b?c=ü#f")
    assert address.origin == ("xn--bcher-kva.example", 444, True)
    assert address.target == "/a%20b?c=%C3%BC"
    assert address.headers["Host"] == "xn--bcher-kva.example:444"
    assert address.headers["Authorization"] == "Basic dXNAZXI6cDp3"


@pytest.mark.parametrize("header", [("X", "a\r\nB: c"), ("X", "a\nb"), ("X", "a\0b"), ("X\r\nY", "a"), ("X Y", "a")])
def test_nothing_breaks_out_of_its_line(header: tuple[str, str]) -> None:
    with pytest.raises(ValueError, match="line"):
        request("GET", "/", b"", b"", [header])
    with pytest.raises(ValueError, match="target"):
        request("GET", "/x HTTP/1.1\r\nA: b", b"", b"")


def test_a_header_that_is_given_goes_before_the_address_s_own() -> None:
    address = address_of("http://u:p@a/")
    lines = lines_of(address, {"authorization": "Bearer x", "USER-AGENT": "me"}).decode().lower()
    assert lines.count("authorization:") == lines.count("user-agent:") == 1
    assert "bearer x" in lines
