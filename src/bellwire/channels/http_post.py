"""Requests to a receiver: each whole within its time-out, never redirected, with as much of the answer as is of use."""

from __future__ import annotations

import contextlib
import io
import re
from typing import TYPE_CHECKING, NamedTuple

import aiohttp
from yarl import URL

from bellwire.channels.http_verdicts import NO_ANSWER, of_exception, of_status, verdict_of
from bellwire.channels.secrets import hide, secrets_of
from bellwire.channels.text import one_line
from bellwire.errors import DeliveryError, Verdict
from bellwire.wire import Limits, address_of, lines_of, request

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    from bellwire.config.schema import ChannelConfig
    from bellwire.http import HttpPool
    from bellwire.wire import Address, Answer, Wire

_ANSWER_BYTES = 4096
_IN_ONE_PIECE = 1024 * 1024
_SHOWN = 200  # characters of an answer that go into an error
_WRITTEN_OUT = re.compile(r"""[!#-;=?-\[\]_a-z~]+""").fullmatch  # there is nothing in it to be escaped
_FRAMING = ("Content-Length", "Transfer-Encoding")  # one of them says where an answer ends


class Said(NamedTuple):
    """As much of an answer as is of use."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    whole: bool


def time_limits(seconds: float) -> aiohttp.ClientTimeout:
    """Return limits under which a whole request ends; connecting ends first, so that it is told from a missing answer."""
    return aiohttp.ClientTimeout(total=seconds, connect=_to_connect(seconds))


def _to_connect(seconds: float) -> float:
    return min(10.0, 0.8 * seconds)


def session_of(pool: HttpPool, settings: ChannelConfig) -> aiohttp.ClientSession:
    """Return the channel's session; `DeliveryError` if its TLS files cannot be used."""
    with _usable_files():
        return pool.session(settings.http_config)


@contextlib.contextmanager
def _usable_files() -> Iterator[None]:
    try:
        yield
    except OSError as exc:  # ssl.SSLError is one
        message = f"the TLS files cannot be used: {exc.strerror or type(exc).__name__}"
        raise DeliveryError(message, verdict=Verdict.CHANNEL_FAULT, reason="tls_files") from None


class Poster:
    """Makes one channel's requests: what is the same in all of them is made ready once."""

    def __init__(
        self, pool: HttpPool, settings: ChannelConfig, url: str, fixed: Mapping[str, str], method: str
    ) -> None:
        """Make ready; ``fixed`` are the headers that every request has. No secret of ``settings`` is ever told."""
        self._pool = pool
        self._settings = settings
        self._url = url
        self._as_given = _WRITTEN_OUT(url) is not None  # a receiver may have signed its escapes as they are
        self._fixed = fixed
        self._method = method
        self._seconds = settings.send_timeout
        self._limits = Limits(self._seconds, _to_connect(self._seconds), _ANSWER_BYTES)
        self._secrets = secrets_of(settings)
        self._route: tuple[Wire, Address, bytes] | None = None

    async def post(self, headers: Mapping[str, str], body: bytes, sent_at: datetime) -> Answer | Said:
        """Send a request; return the answer if its status means success, else raise `DeliveryError`."""
        said: Answer | Said
        try:
            if self._settings.http_config.proxy_url:
                said = await self._over_session(headers, body)
            else:
                said = await self._over_wire(headers, body)
        except NO_ANSWER as exc:
            failure: DeliveryError | None = of_exception(exc)
        else:
            if verdict_of(said.status) is None:
                return said
            failure = of_status(said.status, said.headers, sent_at, self._without_secrets(said))
        # raised here, outside of the handler: the library's exception holds the address, and would come along as context
        assert failure is not None
        raise failure

    def _without_secrets(self, said: Answer | Said) -> str:
        framed = any(name in said.headers for name in _FRAMING)  # else nobody knows whether that was all
        text = hide(said.body.decode("utf-8", "replace"), self._secrets, cut=not (said.whole and framed))
        return one_line(text, _SHOWN)

    async def _over_wire(self, headers: Mapping[str, str], body: bytes) -> Answer:
        wire, address, lines = self._route or self._find_route()
        written = request(self._method, address.target, lines, body, headers.items())
        return await wire.exchange(address.origin, written, self._limits)

    def _find_route(self) -> tuple[Wire, Address, bytes]:
        address = address_of(self._url, encoded=self._as_given)
        with _usable_files():
            wire = self._pool.wire(self._settings.http_config)
        assert wire is not None  # there is no proxy
        self._route = wire, address, lines_of(address, self._fixed)
        return self._route

    async def _over_session(self, headers: Mapping[str, str], body: bytes) -> Said:
        async with session_of(self._pool, self._settings).request(
            self._method,
            URL(self._url, encoded=self._as_given),
            data=_in_pieces(body),
            headers={**self._fixed, **headers},
            allow_redirects=False,
            timeout=time_limits(self._seconds),
        ) as response:
            body, whole = await _read(response)
            return Said(response.status, response.headers, body, whole)


def _in_pieces(body: bytes) -> bytes | io.BytesIO:
    # aiohttp writes a large body in pieces only if it is a file
    return body if len(body) <= _IN_ONE_PIECE else io.BytesIO(body)


async def _read(response: aiohttp.ClientResponse) -> tuple[bytes, bool]:
    """Return as much of the body as is of use, and whether that is all of it."""
    body = b""
    # the status has been given and stands, whatever becomes of the rest
    with contextlib.suppress(*NO_ANSWER):
        while len(body) < _ANSWER_BYTES and (more := await response.content.read(_ANSWER_BYTES - len(body))):
            body += more
        return body, len(body) < _ANSWER_BYTES
    return body, False
