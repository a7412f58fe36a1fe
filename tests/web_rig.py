"""A real web server on a free port, and a plain client for it."""

from __future__ import annotations

import asyncio
import http.client
import json
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from bellwire.config.schema import WebConfig
from bellwire.metrics import Metrics
from bellwire.web.serve import WebServer

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator

    from bellwire.web.view import View


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True, slots=True)
class Client:
    url: str
    tls: ssl.SSLContext | None = None

    async def get(self, path: str, **headers: str) -> Answer:
        return await self.send("GET", path, **headers)

    async def send(self, method: str, path: str, body: str | bytes | None = None, **headers: str) -> Answer:
        """Send a request; a header ``hx_request`` is sent as ``hx-request``."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await asyncio.to_thread(self._send, method, path, body, named)

    def _send(self, method: str, path: str, body: str | bytes | None, headers: dict[str, str]) -> Answer:
        netloc = urlsplit(self.url).netloc
        connection = (
            http.client.HTTPSConnection(netloc, timeout=10, context=self.tls)
            if self.tls
            else http.client.HTTPConnection(netloc, timeout=10)
        )
        try:
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            return Answer(response.status, response.headers, response.read())
        finally:
            connection.close()


@asynccontextmanager
async def serving(view: View, **config: Any) -> AsyncIterator[Client]:
    """Serve ``view`` on a free port, for as long as this lasts."""
    server = WebServer(view, Metrics(), WebConfig(**{"listen": "127.0.0.1:0"} | config))
    await server.start()
    try:
        yield Client(server.url)
    finally:
        await server.stop()
