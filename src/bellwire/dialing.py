"""Making connections: names into addresses, addresses tried side by side, and TLS where it is wanted."""

from __future__ import annotations

import asyncio
import socket
import ssl
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import aiohappyeyeballs

from bellwire.errors import BellwireError

if TYPE_CHECKING:
    from collections.abc import Callable

P = TypeVar("P", bound=asyncio.Protocol)

_NEXT_ADDRESS = 0.25  # seconds until another address of the host is tried beside the first (RFC 8305)
_NAMES_HOLD = 30.0  # seconds that a name's addresses are used: thousands of accounts may connect at once
_MOST_NAMES = 10_000


class UnreachedError(BellwireError):
    """The connection was never made, so that nothing can have arrived. ``cause`` is the system's word, or empty."""

    def __init__(self, reason: str, cause: str = "") -> None:
        super().__init__(f"{reason} ({cause})" if cause else reason)
        self.reason = reason  # dns_error, tls_error, connect_error, connect_timeout
        self.cause = cause


class Origin(NamedTuple):
    """Where a connection goes."""

    host: str
    port: int
    secure: bool


class Dialer:
    """Makes connections for one way of trusting the other side."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._context = context
        self._names: dict[Origin, tuple[float, list[Any]]] = {}
        self._asked: dict[Origin, asyncio.Task[list[Any]]] = {}

    async def connect(self, origin: Origin, seconds: float, protocol: Callable[[], P]) -> P:
        """Return a protocol that is connected; `UnreachedError` if none can be within so many seconds."""
        try:
            async with asyncio.timeout(seconds):
                return await self._open(origin, protocol)
        except TimeoutError:
            reason, cause = "connect_timeout", ""
        except (socket.gaierror, UnicodeError) as error:
            reason, cause = "dns_error", getattr(error, "strerror", None) or ""
        except ssl.SSLError:  # before OSError, which it is
            reason, cause = "tls_error", ""
        except OSError as error:
            reason, cause = "connect_error", error.strerror or ""
        self._names.pop(origin, None)  # it may have moved
        raise UnreachedError(reason, cause)

    async def _open(self, origin: Origin, protocol: Callable[[], P]) -> P:
        found = await self._addresses(origin)
        there = await aiohappyeyeballs.start_connection(found, happy_eyeballs_delay=_NEXT_ADDRESS, interleave=1)
        try:
            there.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            _, made = await asyncio.get_running_loop().create_connection(
                protocol,
                sock=there,
                ssl=self._context if origin.secure else None,
                server_hostname=origin.host.rstrip(".") if origin.secure else None,
            )
        except BaseException:
            there.close()
            raise
        return made

    async def _addresses(self, origin: Origin) -> list[Any]:
        loop = asyncio.get_running_loop()
        until, found = self._names.get(origin, (0.0, []))
        if until <= loop.time():
            found = await asyncio.shield(self._asked.get(origin) or self._ask(origin))
            if len(self._names) >= _MOST_NAMES:
                self._names.clear()
            self._names[origin] = loop.time() + _NAMES_HOLD, found
        return found

    def _ask(self, origin: Origin) -> asyncio.Task[list[Any]]:
        """Ask for a name's addresses once, whoever waits: each question takes a thread, of which all share a few."""
        loop = asyncio.get_running_loop()
        asked = loop.create_task(_look_up(loop, origin), name=f"look up {origin.host}")
        self._asked[origin] = asked
        asked.add_done_callback(lambda _: self._told(origin))
        return asked

    def _told(self, origin: Origin) -> None:
        asked = self._asked.pop(origin)
        if not asked.cancelled():
            asked.exception()  # looked at: those who waited may have gone


async def _look_up(loop: asyncio.AbstractEventLoop, origin: Origin) -> list[Any]:
    return await loop.getaddrinfo(origin.host, origin.port, type=socket.SOCK_STREAM)
