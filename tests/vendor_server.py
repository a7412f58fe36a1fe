"""A small Visual Layer on a real socket, whose every answer a test may replace."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from aiohttp import web

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Awaitable, Callable

    Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]

ROOT = "/api/v1/notifications"


def vl_item(upstream_id: str, **changes: Any) -> dict[str, Any]:
    item = {
        "id": upstream_id,
        "user_id": "u1",
        "entity_type": "saved_view",
        "entity_id": "v1",
        "title": "",
        "message": None,
        "metadata": {
            "batch_id": "b1",
            "is_alert": True,
            "view_name": "Forklifts",
            "dataset_name": "Warehouse",
            "result_count": 12,
        },
        "dataset_id": "d1",
        "is_read": False,
        "created_at": "2026-11-22T10:00:00",
        "read_at": None,
    }
    return item | changes


def status(code: int, **headers: str) -> Answer:
    async def answer(_: web.Request) -> web.StreamResponse:
        return web.json_response({"detail": "no"}, status=code, headers=headers)

    return answer


def body(content: bytes | str, content_type: str = "application/json", **headers: str) -> Answer:
    async def answer(_: web.Request) -> web.StreamResponse:
        raw = content.encode() if isinstance(content, str) else content
        return web.Response(body=raw, content_type=content_type, headers=headers)

    return answer


class VendorServer:
    """``scripted`` answers come first, one a request; ``always`` after them; else the vendor's own."""

    def __init__(self) -> None:
        self.url = ""
        self.unread: list[Any] = []
        self.read: list[str] = []
        self.requests: list[web.Request] = []
        self.bodies: list[bytes] = []
        self.scripted: deque[Answer] = deque()
        self.always: dict[str, Answer] = {}  # by the last part of the path
        self.arrived = asyncio.Event()  # a stream was opened
        self._streams: list[asyncio.Queue[bytes | None]] = []

    def emit(self, *items: Any, listed: bool = True) -> None:
        if listed:
            self.unread[:0] = reversed(items)
        self.send(b"".join(b"data: %b\n\n" % json.dumps(item).encode() for item in items))

    def send(self, raw: bytes | None) -> None:
        """Put bytes on every open stream; None closes them."""
        for stream in self._streams:
            stream.put_nowait(raw)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(request)
        self.bodies.append(await request.read())
        last = request.path.rpartition("/")[2]
        if self.scripted:
            return await self.scripted.popleft()(request)
        if last in self.always:
            return await self.always[last](request)
        return await self._own(request, last)

    async def _own(self, request: web.Request, last: str) -> web.StreamResponse:
        if request.path == ROOT:
            limit, offset = int(request.query.get("limit", "20")), int(request.query.get("offset", "0"))
            items = self.unread[offset : offset + limit]
            more = offset + limit < len(self.unread)
            return web.json_response({"notifications": items, "total": len(self.unread), "has_more": more})
        if last == "unread-count":
            return web.json_response({"unread_count": len(self.unread)})
        if last == "stream":
            return await self._stream(request)
        if request.method == "POST" and last == "read":
            return self._mark(request.path.split("/")[-2])
        return web.json_response({"detail": "Not Found"}, status=404)

    def _mark(self, upstream_id: str) -> web.Response:
        kept = [item for item in self.unread if item.get("id") != upstream_id]
        if len(kept) == len(self.unread) and upstream_id not in self.read:
            return web.json_response({"detail": "Not Found"}, status=404)
        self.unread = kept
        self.read.append(upstream_id)
        return web.json_response({"id": upstream_id, "is_read": True})

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream; charset=utf-8"})
        await response.prepare(request)
        queue: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._streams.append(queue)
        self.arrived.set()
        try:
            while (raw := await queue.get()) is not None:
                await response.write(raw)
        finally:
            self._streams.remove(queue)
        return response


@asynccontextmanager
async def serving(tls: ssl.SSLContext | None = None) -> AsyncIterator[VendorServer]:
    server = VendorServer()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", server.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
    await site.start()
    port = runner.addresses[0][1]
    server.url = f"{'https' if tls else 'http'}://127.0.0.1:{port}"
    try:
        yield server
    finally:
        server.send(None)
        await runner.cleanup()
