"""Runs the server inside the current event loop, for the command line and for tests alike."""

from __future__ import annotations

import asyncio
import socket
import struct
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import uvicorn

from bellwire.reference.app import create_app
from bellwire.reference.faces import emit
from bellwire.reference.store import Inbox

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Mapping, Sequence

    from bellwire.model import Json
    from bellwire.reference.context import Context
    from bellwire.reference.log import RequestLog
    from bellwire.reference.settings import ReferenceSettings
    from bellwire.reference.store import Store, StoredItem
    from bellwire.reference.streams import Streams

_GRACE = 1  # seconds for requests under way, whole ones as uvicorn wants them; streams are closed before it begins
_TICK = 0.1  # seconds, as uvicorn's own


class _Server(uvicorn.Server):
    """uvicorn that leaves signals to the program, says when it is ready, and closes streams before it waits for them."""

    def __init__(self, config: uvicorn.Config, context: Context) -> None:
        super().__init__(config)
        self._streams = context.streams
        self._faults = context.faults
        self._faults.reset = self.reset
        self._leaving = asyncio.Event()
        self.ready = asyncio.Event()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    def leave(self) -> None:
        """Begin to end."""
        self.should_exit = True
        self._leaving.set()

    def reset(self, client: tuple[str, int]) -> None:
        """Reset the connection to a client."""
        for connection in list(self.server_state.connections):
            if connection.transport.get_extra_info("peername")[:2] == client:
                # A linger of 0 seconds: what was not sent is thrown away, and the client is told of a reset, not an end.
                connected = connection.transport.get_extra_info("socket")
                connected.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                connection.transport.abort()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()

    async def main_loop(self) -> None:
        tick = 0
        while not await self.on_tick(tick):
            tick = (tick + 1) % 864_000
            try:
                async with asyncio.timeout(_TICK):
                    await self._leaving.wait()
            except TimeoutError:
                continue

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._faults.leaving.set()
        self._streams.close()
        await super().shutdown(sockets)
        for connection in list(self.server_state.connections):
            connection.transport.abort()  # its client reads nothing: there is no other end to it


@dataclass(frozen=True, kw_only=True, slots=True)
class ReferenceServer:
    """A running server, with everything of it at hand. ``url`` has no slash at its end; ``task`` ends with the server."""

    url: str
    context: Context
    task: asyncio.Task[None]

    @property
    def store(self) -> Store:
        """The items."""
        return self.context.store

    @property
    def streams(self) -> Streams:
        """The open streams."""
        return self.context.streams

    @property
    def log(self) -> RequestLog:
        """What clients asked."""
        return self.context.log

    def base_url(self, api: str) -> str:
        """Return what a client of one vendor takes as its base URL."""
        return f"{self.url}/{api}"

    def emit(self, api: str, user: str, given: Sequence[Mapping[str, Json]], *, complete: bool = True) -> list[str]:
        """Add items as the control API does; see `bellwire.reference.faces.emit`."""
        return emit(self.context, Inbox(api=api, user=user), given, complete=complete)

    def items(self, api: str, user: str) -> list[StoredItem]:
        """Return every item of an inbox, oldest first."""
        return self.store.since(Inbox(api=api, user=user), 0)

    async def streaming(self, api: str, user: str, count: int = 1) -> None:
        """Wait until so many streams of an inbox are open."""
        await self.streams.wait(Inbox(api=api, user=user), count)


@asynccontextmanager
async def serving(
    settings: ReferenceSettings, host: str = "127.0.0.1", port: int = 0
) -> AsyncIterator[ReferenceServer]:
    """Serve for as long as this lasts; port 0 takes a free one. OSError if the address cannot be had; SetupError."""
    listener = _listen(host, port)
    try:
        app = create_app(settings)
    except BaseException:
        listener.close()
        raise
    context: Context = app.state.context
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        lifespan="on",
        timeout_graceful_shutdown=_GRACE,
        server_header=False,
        date_header=False,  # the vendor's clock may be off: the application dates its answers
        proxy_headers=False,
    )
    server = _Server(config, context)
    task = asyncio.create_task(server.serve(sockets=[listener]), name="reference server")
    try:
        await _ready(server, task)
        yield ReferenceServer(url=_url(listener), context=context, task=task)
    finally:
        server.leave()
        await task


async def _ready(server: _Server, task: asyncio.Task[None]) -> None:
    ready = asyncio.create_task(server.ready.wait(), name="reference server ready")
    await asyncio.wait({ready, task}, return_when=asyncio.FIRST_COMPLETED)
    ready.cancel()
    if task.done():
        task.result()


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=1024)


def _url(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
