"""What one visitor may ask of the daemon: requests of a bounded size, and not too many of them. Plain ASGI."""

from __future__ import annotations

import contextlib
import math
import time
from collections import OrderedDict
from typing import TYPE_CHECKING

from starlette.datastructures import Headers

from bellwire.web.answers import problem

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

MOST_BYTES = 1024 * 1024
"""Of a request's body."""

PER_SECOND, BURST = 50.0, 500.0
"""Requests of one client: far more than people and scrapers make."""

LOGINS_PER_SECOND, LOGINS = 0.2, 10.0
"""Attempts to log in of one client."""

_CLIENTS = 2048  # remembered at once
_FREE = frozenset({"/-/healthy", "/-/ready"})  # whoever restarts us by these must always be answered


class TooLargeError(Exception):
    """A body is larger than it may be."""


class Buckets:
    """A token bucket for each of the clients seen last."""

    def __init__(self, per_second: float, burst: float, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._per_second = per_second
        self._burst = burst
        self._monotonic = monotonic
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()  # client -> tokens, and as of when

    def take(self, client: str) -> float:
        """Take one of the client's tokens; return 0, or the seconds until there is one."""
        now = self._monotonic()
        tokens, then = self._left.pop(client, (self._burst, now))
        tokens = min(self._burst, tokens + (now - then) * self._per_second)
        wait = 0.0 if tokens >= 1 else (1 - tokens) / self._per_second
        self._left[client] = (tokens if wait else tokens - 1, now)
        while len(self._left) > _CLIENTS:
            self._left.popitem(last=False)
        return wait


class Bounds:
    """Answers 413 to bodies that are too large, 429 to clients that ask too often."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._requests = Buckets(PER_SECOND, BURST)
        self._logins = Buckets(LOGINS_PER_SECOND, LOGINS)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http" or scope["path"] in _FREE:
            await self._app(scope, receive, send)
            return
        client = scope["client"][0] if scope.get("client") else ""
        login = scope["path"] == "/login" and scope["method"] == "POST"
        if wait := (self._logins if login else self._requests).take(client):
            again = {"retry-after": str(math.ceil(wait))}
            await problem(429, "too many requests: ask again later", again)(scope, receive, send)
            return
        length = Headers(scope=scope).get("content-length", "0")
        if not length.isdecimal() or int(length) > MOST_BYTES:
            await _too_large(scope, receive, send)
            return
        await self._bounded(scope, receive, send)

    async def _bounded(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request whose body may turn out larger than it said."""
        read = 0
        started = refused = False

        async def receiving() -> Message:
            nonlocal read, refused
            message = await receive()
            read += len(message.get("body", b""))
            if read > MOST_BYTES:
                refused = True
                raise TooLargeError
            return message

        async def sending(message: Message) -> None:
            nonlocal started
            if not refused or started:  # whoever reads the body may make another answer of our error
                started = True
                await send(message)

        with contextlib.suppress(TooLargeError):
            await self._app(scope, receiving, sending)
        if refused and not started:
            await _too_large(scope, receive, send)


async def _too_large(scope: Scope, receive: Receive, send: Send) -> None:
    refusal = problem(413, f"a request's body may have {MOST_BYTES:,} bytes", {"connection": "close"})
    await refusal(scope, receive, send)
