"""What every request passes before anything answers it, and every answer on its way out. Plain ASGI, outermost first.

`Headers` forbids the browser what our pages never do, `Failures` turns what raises into a short answer, `Hosts` refuses
names that are not ours (a page elsewhere that had its own name resolve to this machine); then `visitors` asks who it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog
from starlette.datastructures import Headers as RequestHeaders
from starlette.datastructures import MutableHeaders

from bellwire.config.values import is_loopback
from bellwire.errors import BellwireError
from bellwire.web.answers import problem

if TYPE_CHECKING:
    from collections.abc import Collection

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

_PROMISES = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "frame-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",  # with less, our own forms could not say where they are from
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "server": "bellwire",
}

_MAY_DIFFER = frozenset({"content-security-policy", "x-frame-options"})
"""A mail that is shown within a page has promises of its own: it may look as it likes, and do nothing."""

log = structlog.get_logger(__name__)


class Headers:
    """Adds our headers to every answer; lets HEAD be answered wherever GET is."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, promise in _PROMISES.items():
                    if name not in _MAY_DIFFER or name not in headers:
                        headers[name] = promise
                headers.setdefault("cache-control", "no-store")
            await send(message)

        # The server leaves the body out by itself, for it knows the method that was asked for.
        asked = {**scope, "method": "GET"} if scope["method"] == "HEAD" else scope
        await self._app(asked, receive, sending)


class Failures:
    """Answers 503 where Bellwire says why it cannot, 500 and a log line for anything else."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        started = False

        async def sending(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self._app(scope, receive, sending)
        except BellwireError as error:
            log.warning("web_request_refused", path=scope.get("path"), error=str(error))
            answer = problem(503, str(error))
        except Exception:  # the daemon goes on, whatever a page did
            log.exception("web_request_failed", path=scope.get("path"))
            answer = problem(500, "an error of Bellwire's own: its log says where")
        else:
            return
        if not started and scope["type"] == "http":
            await answer(scope, receive, send)


class Hosts:
    """Answers 421 to requests for a name that is not among ``names``; any address of loopback is."""

    def __init__(self, app: ASGIApp, names: Collection[str]) -> None:
        self._app = app
        self._names = frozenset(name.lower() for name in names)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "http" and not self._ours(RequestHeaders(scope=scope).get("host", "")):
            refusal = problem(421, "this host name is not Bellwire's: to use it, set web.external_url to its address")
            await refusal(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _ours(self, host: str) -> bool:
        name = host_name(host)
        return name in self._names or is_loopback(name)


def host_name(host: str) -> str:
    """Return the name in a Host header, without port and brackets, in lower case."""
    bracketed, _, _ = host.partition("]")
    name = bracketed[1:] if host.startswith("[") else host.partition(":")[0]
    return name.lower().rstrip(".")
