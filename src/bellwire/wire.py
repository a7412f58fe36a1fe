"""Requests over HTTP/1.1 with as little around them as can be, for what is sent thousands of times a second.

A connection carries one request at a time and is kept for the next one. Answers are read by httptools (llhttp, which
Node.js stands on): chunks, interim answers and keep-alive are its business. Nothing is followed or unpacked, nothing
is repeated that is not said to be repeatable, and no proxy is asked: for those `bellwire.http` has sessions.
"""

from __future__ import annotations

import asyncio
import re
from base64 import b64encode
from collections import deque
from typing import TYPE_CHECKING, NamedTuple, cast

import httptools
from multidict import CIMultiDict
from yarl import URL

from bellwire import __version__
from bellwire.dialing import Dialer, Origin, UnreachedError
from bellwire.errors import BellwireError
from bellwire.values import dataclass

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterable, Mapping

__all__ = [
    "Address",
    "Answer",
    "BrokenOffError",
    "HeldError",
    "Limits",
    "NoAddressError",
    "Origin",
    "UnreachedError",
    "Wire",
]

USER_AGENT = f"Bellwire/{__version__}"

_IDLE = 15.0  # seconds that a connection is kept: the other side's patience is seldom shorter
_HEAD_BYTES = 65_536
_ONE_LINE = re.compile(r"[^\x00\r\n]*").fullmatch
_ONE_WORD = re.compile(r"[^\x00\r\n ]+").fullmatch
_FRAMING = {b"content-length", b"transfer-encoding"}  # one of them says where an answer ends
_FINAL = 200  # a status below it is followed by another


class BrokenOffError(BellwireError):
    """The connection ended, or brought what is no HTTP, before there was a status."""


class HeldError(BellwireError):
    """Nothing was sent: while the connection was made, it had come to be unwanted."""


class NoAddressError(BellwireError, ValueError):
    """The text is no URL, or one of another kind than ``http`` and ``https``."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Address:
    """A URL, taken apart: ``target`` is what the request line names, ``headers`` are those that follow from the URL."""

    origin: Origin
    target: str
    headers: Mapping[str, str]


class Limits(NamedTuple):
    """Seconds for the whole exchange and, within them, for connecting; the most bytes that are read of an answer's body."""

    total: float
    connect: float
    answer: int


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer; ``whole`` is False if its body was cut: by the limit, by time, or by the end of the connection."""

    status: int
    body: bytes
    whole: bool
    lines: list[tuple[bytes, bytes]]

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers, whose names are found in any case."""
        return CIMultiDict([(name.decode("latin-1"), value.decode("latin-1")) for name, value in self.lines])


def address_of(url: str, *, encoded: bool = False) -> Address:
    """Take a URL apart; `NoAddressError` if it is none. ``encoded`` leaves its escapes as they are."""
    try:
        parsed = URL(url, encoded=encoded)
        port = parsed.port
    except ValueError:
        parsed, port = URL(), None
    if parsed.scheme not in {"http", "https"} or not parsed.raw_host or not port:
        message = "no address of http or https"
        raise NoAddressError(message)
    headers = {"Host": parsed.host_port_subcomponent or "", "User-Agent": USER_AGENT, "Accept": "*/*"}
    if parsed.raw_user is not None:
        login = b64encode(f"{parsed.user or ''}:{parsed.password or ''}".encode()).decode()
        headers["Authorization"] = f"Basic {login}"
    origin = Origin(parsed.raw_host, port, parsed.scheme == "https")
    return Address(origin=origin, target=parsed.raw_path_qs, headers=headers)


def lines_of(address: Address, headers: Mapping[str, str]) -> bytes:
    """Return ``headers`` as they are written, with the address's own where there are none of the same name.

    ValueError for what would break out of its line.
    """
    given = {name.lower() for name in headers}
    own = [(name, value) for name, value in address.headers.items() if name.lower() not in given]
    return "".join([_line(name, value) for name, value in (*own, *headers.items())]).encode()


def request(method: str, target: str, lines: bytes, body: bytes, headers: Iterable[tuple[str, str]] = ()) -> bytes:
    """Return a request as it is written: with ``lines`` that `lines_of` made, and more ``headers``. ValueError as there."""
    if not _ONE_WORD(target):
        message = "no target of a request"
        raise ValueError(message)
    start = f"{method} {target} HTTP/1.1\r\n".encode()
    more = "".join([_line(name, value) for name, value in headers]).encode()
    return b"%b%b%bContent-Length: %d\r\n\r\n%b" % (start, lines, more, len(body), body)


def _line(name: str, value: str) -> str:
    if not _ONE_LINE(value) or not _ONE_WORD(name):
        message = "a header of more than one line"
        raise ValueError(message)
    return f"{name}: {value}\r\n"


class Wire:
    """Makes requests, each over a connection of its own for the time being. Made for one way of trusting the other side."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self.dialer = Dialer(context)
        self._idle: dict[Origin, deque[_Connection]] = {}  # the one used last is the last
        self._busy: set[_Connection] = set()
        self._sweep: asyncio.TimerHandle | None = None

    async def exchange(
        self,
        origin: Origin,
        written: bytes,
        limits: Limits,
        *,
        repeatable: bool = False,
        held: Callable[[], bool] | None = None,
    ) -> Answer:
        """Send what `request` made, and return the answer: whatever its status, it is no error.

        Raises `UnreachedError`, `BrokenOffError`, or TimeoutError if no status came in time. A ``repeatable`` request is
        sent again if the connection that was kept for it had just been ended by the other side. ``held`` says, once a
        connection has been made, whether the request is not to be sent after all: `HeldError`.
        """
        deadline = asyncio.get_running_loop().time() + limits.total
        connection = self._take(origin)
        if connection is not None:
            try:
                return await self._ask(origin, connection, written, deadline, limits.answer)
            except BrokenOffError:
                if not repeatable:
                    raise
        left = deadline - asyncio.get_running_loop().time()
        connection = await self.dialer.connect(origin, min(limits.connect, left), _Connection)
        if held is not None and held():
            self._keep(origin, connection)
            raise HeldError
        return await self._ask(origin, connection, written, deadline, limits.answer)

    async def _ask(
        self, origin: Origin, connection: _Connection, written: bytes, deadline: float, limit: int
    ) -> Answer:
        self._busy.add(connection)
        try:
            return await connection.ask(written, deadline, limit)
        finally:
            self._busy.discard(connection)
            if connection.reusable:
                self._keep(origin, connection)
            else:
                connection.abort()

    def close(self) -> None:
        """Close every connection; what is under way is broken off."""
        if self._sweep is not None:
            self._sweep.cancel()
            self._sweep = None
        for connection in [*self._busy, *(each for kept in self._idle.values() for each in kept)]:
            connection.abort()
        self._idle.clear()

    def _take(self, origin: Origin) -> _Connection | None:
        kept = self._idle.get(origin)
        oldest = asyncio.get_running_loop().time() - _IDLE
        while kept:
            connection = kept.pop()
            if connection.reusable and connection.used_at > oldest:
                return connection
            connection.abort()
        return None

    def _keep(self, origin: Origin, connection: _Connection) -> None:
        loop = asyncio.get_running_loop()
        connection.used_at = loop.time()
        self._idle.setdefault(origin, deque()).append(connection)
        if self._sweep is None:
            self._sweep = loop.call_later(_IDLE, self._close_idle)

    def _close_idle(self) -> None:
        """Close what was not used for a while."""
        loop = asyncio.get_running_loop()
        oldest = loop.time() - _IDLE
        for origin, kept in list(self._idle.items()):
            while kept and (kept[0].used_at <= oldest or not kept[0].reusable):
                kept.popleft().abort()
            if not kept:
                del self._idle[origin]
        self._sweep = loop.call_later(_IDLE, self._close_idle) if self._idle else None


class _Connection(asyncio.Protocol):
    """One connection, and the exchange that it carries. Its callbacks without a docstring are httptools'."""

    def __init__(self) -> None:
        self.used_at = 0.0
        self._kept = True  # the other side said nothing to the contrary
        self._lost = False
        self._answered: asyncio.Future[Answer] | None = None
        self._parser = httptools.HttpResponseParser(self)

    @property
    def reusable(self) -> bool:
        """Whether another request can be made here."""
        return self._kept and not self._lost and self._answered is None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast("asyncio.Transport", transport)

    async def ask(self, written: bytes, deadline: float, limit: int) -> Answer:
        """Write a request and wait for its answer."""
        loop = asyncio.get_running_loop()
        self._status, self._limit, self._bare, self._body = 0, limit, 0, bytearray()
        self._lines: list[tuple[bytes, bytes]] = []
        answered: asyncio.Future[Answer] = loop.create_future()
        self._answered = answered
        timer = loop.call_at(deadline, self._expire)
        self._transport.write(written)
        try:
            return await answered
        finally:
            timer.cancel()
            if self._answered is not None:  # cancelled
                self._kept = False

    def abort(self) -> None:
        """Close it at once."""
        self._kept = False
        self._transport.abort()

    def data_received(self, data: bytes) -> None:
        """Read on. What nobody asked for ends the connection: it would be taken for the next answer."""
        if not self._is_asked():
            self.abort()
            return
        before = len(self._body)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._fail(BrokenOffError("no HTTP"))
        self._bare = self._bare + len(data) if len(self._body) == before else 0
        if self._is_asked() and self._bare > _HEAD_BYTES:  # of headers, or of trailers
            self._fail(BrokenOffError("a head without end"))

    def connection_lost(self, exc: Exception | None) -> None:
        """End. Where nothing says how long an answer is, it is whole by that."""
        del exc
        self._lost = True
        framed = self._is_asked() and any(name.lower() in _FRAMING for name, _ in self._lines)
        self._end(BrokenOffError("the connection ended"), whole=not framed)

    def on_message_begin(self) -> None:
        if self._answered is None:
            self._kept = False  # an answer behind the answer

    def on_header(self, name: bytes, value: bytes) -> None:
        self._lines.append((name, value))

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        if status >= _FINAL:
            self._status = status
        else:
            self._lines.clear()

    def on_body(self, data: bytes) -> None:
        if self._answered is None:
            return
        self._body += data[: self._limit - len(self._body)]
        if len(self._body) >= self._limit:
            self._kept = False
            self._finish(whole=False)

    def on_message_complete(self) -> None:
        if self._status and self._answered is not None:
            self._kept = self._kept and self._parser.should_keep_alive()
            self._finish(whole=True)

    def _is_asked(self) -> bool:
        return self._answered is not None

    def _expire(self) -> None:
        self._end(TimeoutError(), whole=False)

    def _fail(self, error: Exception) -> None:
        self._end(error, whole=False)
        self.abort()

    def _end(self, error: Exception, *, whole: bool) -> None:
        """End the exchange early: a status that has been given stands, whatever becomes of the rest."""
        self._kept = False
        if self._answered is None:
            return
        if self._status:
            self._finish(whole=whole)
        else:
            answered, self._answered = self._answered, None
            if not answered.done():
                answered.set_exception(error)

    def _finish(self, *, whole: bool) -> None:
        answered, self._answered = self._answered, None
        if answered is not None and not answered.done():
            answered.set_result(Answer(self._status, bytes(self._body), whole, self._lines))
