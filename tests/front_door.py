"""A door before the reference server: it lets requests through, counts them, and can refuse them or add to streams."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import aiohttp
from aiohttp import web
from yarl import URL

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from vendor_server import Answer

_HOP_BY_HOP = {"host", "connection", "transfer-encoding", "content-length"}


class FrontDoor:
    """``answer`` replaces every answer, ``stream_answer`` those to clients that want a stream."""

    def __init__(self, target: str, session: aiohttp.ClientSession) -> None:
        self.url = ""
        self.requests: list[web.Request] = []
        self.answer: Answer | None = None
        self.stream_answer: Answer | None = None
        self._target = target
        self._session = session
        self._streams: list[asyncio.Queue[bytes]] = []

    def send(self, raw: bytes) -> None:
        """Put bytes on every open stream; empty ones close them."""
        for stream in self._streams:
            stream.put_nowait(raw)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(request)
        wants_stream = request.headers.get("Accept") == "text/event-stream"
        answer = (self.stream_answer if wants_stream else None) or self.answer
        if answer is not None:
            return await answer(request)
        headers = {name: value for name, value in request.headers.items() if name.lower() not in _HOP_BY_HOP}
        body = await request.read()
        async with self._session.request(
            request.method,
            URL(self._target + request.raw_path, encoded=True),
            headers=headers,
            data=body or None,
            skip_auto_headers=("Content-Type",),
            allow_redirects=False,
        ) as upstream:
            if upstream.content_type == "text/event-stream":
                return await self._stream(request, upstream)
            kept = {name: value for name, value in upstream.headers.items() if name.lower() not in _HOP_BY_HOP}
            return web.Response(status=upstream.status, headers=kept, body=await upstream.read())

    async def _stream(self, request: web.Request, upstream: aiohttp.ClientResponse) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        pieces: asyncio.Queue[bytes] = asyncio.Queue()
        await response.prepare(request)
        reader = asyncio.create_task(_read(upstream, pieces))
        self._streams.append(pieces)
        try:
            while piece := await pieces.get():
                await response.write(piece)
        finally:
            self._streams.remove(pieces)
            reader.cancel()
        return response


async def _read(upstream: aiohttp.ClientResponse, pieces: asyncio.Queue[bytes]) -> None:
    async for piece in upstream.content.iter_any():
        pieces.put_nowait(piece)
    pieces.put_nowait(b"")


@asynccontextmanager
async def front_door(target: str) -> AsyncIterator[FrontDoor]:
    async with aiohttp.ClientSession(auto_decompress=False, timeout=aiohttp.ClientTimeout(total=None)) as session:
        door = FrontDoor(target, session)
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", door.handle)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        door.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        try:
            yield door
        finally:
            door.send(b"")
            await runner.cleanup()
