"""A webhook receiver that answers as it is told."""

from __future__ import annotations

import hmac
from base64 import b64decode, b64encode
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Self, TypeAlias

import orjson
from aiohttp import web

from bellwire.demo.receivers.journal import Journal

if TYPE_CHECKING:
    import asyncio
    import ssl
    from collections.abc import Awaitable, Callable, Iterable, Mapping
    from types import TracebackType

Handler: TypeAlias = "Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]"


@dataclass(frozen=True, kw_only=True, slots=True)
class Reply:
    """How a request is answered: after ``until`` is set, if given; ``drop`` closes the connection without an answer."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    until: asyncio.Event | None = None
    drop: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """What arrived. ``verified`` tells whether the signature is right, None where the receiver knows no secret.

    ``status`` is what it is answered with, 0 where the connection is dropped instead.
    """

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    at: datetime
    status: int
    verified: bool | None = None

    @property
    def json(self) -> Any:
        """The body, decoded."""
        return orjson.loads(self.body)

    @property
    def id(self) -> str:
        """The delivery's id."""
        return self.headers.get("webhook-id", "")


class HttpServer:
    """Serves one handler on a free port of loopback, from entering to leaving."""

    def __init__(self, handler: Handler, tls: ssl.SSLContext | None = None) -> None:
        self._tls = tls
        self._server = web.Server(handler, access_log=None)
        self._runner = web.ServerRunner(self._server, shutdown_timeout=0.1)

    async def start(self, port: int = 0) -> int:
        """Listen; return the port."""
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", port, ssl_context=self._tls).start()
        return int(self._runner.addresses[0][1])

    async def stop(self) -> None:
        """Close every connection and the port."""
        await self._runner.cleanup()


class WebhookReceiver(Journal[Request]):
    """Keeps every request that arrives whole, in `messages`, before it answers it.

    ``answers`` are used up one a request, then ``otherwise``; a number is a status. With ``secrets`` (Standard Webhooks)
    a wrong signature is answered with 401. It may be given a port, to come back where it was.
    """

    def __init__(
        self,
        *,
        answers: Iterable[Reply | int] = (),
        otherwise: Reply | Callable[[Request], Reply] | None = None,
        secrets: Iterable[str] = (),
        tls: ssl.SSLContext | None = None,
        port: int = 0,
    ) -> None:
        super().__init__()
        self.answers = [_reply(answer) for answer in answers]
        self.otherwise = otherwise or Reply()
        self.port = port
        self._keys = [_key(secret) for secret in secrets]
        self._tls = tls
        self._server = HttpServer(self._handle, tls)

    @property
    def url(self) -> str:
        """Where to post to."""
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}/hook"

    def answer(self, *answers: Reply | int) -> None:
        """Answer the next requests so."""
        self.answers += [_reply(answer) for answer in answers]

    async def __aenter__(self) -> Self:
        self.port = await self._server.start(self.port)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._server.stop()

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        body = await request.content.read(-1)
        arrived = self._read(request, body)
        reply = self._next(arrived)
        self.add(_with_status(arrived, 0 if reply.drop else reply.status))
        return await respond(request, reply)

    def _read(self, request: web.BaseRequest, body: bytes) -> Request:
        verified = verify(self._keys, request.headers, body) if self._keys else None
        return Request(
            method=request.method,
            path=request.path_qs,
            headers=request.headers,
            body=body,
            at=datetime.now(UTC),
            status=0,
            verified=verified,
        )

    def _next(self, arrived: Request) -> Reply:
        if arrived.verified is False:
            return Reply(status=401, body=b"wrong signature")
        if self.answers:
            return self.answers.pop(0)
        return self.otherwise if isinstance(self.otherwise, Reply) else self.otherwise(arrived)


def _with_status(request: Request, status: int) -> Request:
    values = {name: getattr(request, name) for name in Request.__slots__}
    return Request(**(values | {"status": status}))


def _reply(answer: Reply | int) -> Reply:
    return Reply(status=answer) if isinstance(answer, int) else answer


async def respond(request: web.BaseRequest, reply: Reply) -> web.StreamResponse:
    """Answer as the reply says."""
    if reply.until is not None:
        await reply.until.wait()
    if reply.drop and request.transport is not None:
        request.transport.abort()
    return web.Response(status=reply.status, body=reply.body, headers=dict(reply.headers))


# --- Standard Webhooks, from the receiver's side -------------------------------------------------------------------
# written from the specification, not with the library that signs: one would not notice the other's mistake


def _key(secret: str) -> bytes:
    return b64decode(secret.removeprefix("whsec_") + "==")


def verify(keys: list[bytes], headers: Mapping[str, str], body: bytes) -> bool:
    """Return whether one of the signatures fits one of the keys."""
    signed = f"{headers.get('webhook-id', '')}.{headers.get('webhook-timestamp', '')}.".encode() + body
    given = headers.get("webhook-signature", "").split(" ")
    fitting = ["v1," + b64encode(hmac.new(key, signed, sha256).digest()).decode() for key in keys]
    return any(hmac.compare_digest(one, other) for one in given for other in fitting)
