"""The web server inside the daemon's own event loop, on a socket that is bound before anything depends on it."""

from __future__ import annotations

import asyncio
import os
import socket
from contextlib import contextmanager
from typing import TYPE_CHECKING

import uvicorn

from bellwire.config.values import host_port
from bellwire.errors import BellwireError
from bellwire.web.app import SYSTEM_WALL, create_web

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from fastapi import FastAPI

    from bellwire.config.schema import WebConfig
    from bellwire.metrics import Metrics
    from bellwire.web.view import View

_GRACE = 1  # seconds for requests under way, whole ones as uvicorn wants them
_BACKLOG = 256
_TICK = 0.1  # seconds, as uvicorn's own


class ListenError(BellwireError):
    """The address of ``web.listen`` cannot be had."""


class WebServer:
    """Serves a `View` at ``web.listen`` from `start` to `stop`."""

    def __init__(
        self, view: View, metrics: Metrics, config: WebConfig, wall: Callable[[], datetime] = SYSTEM_WALL
    ) -> None:
        self._config = config
        self.app = create_web(view, metrics, config, wall)
        self._server: _Server | None = None
        self._task: asyncio.Task[None] | None = None
        self._url = ""

    @property
    def url(self) -> str:
        """The address with the port that was bound, without a slash at its end; empty before `start`."""
        return self._url

    async def start(self) -> None:
        """Bind, and return once requests are answered. Raises `ListenError`."""
        listener = _bind(self._config.listen)
        self._url = _url(listener, tls=self._config.tls_config is not None)
        try:
            server = _Server(_settings(self.app, self._config))
        except OSError as error:  # the certificate's files
            listener.close()
            msg = f"web.tls_config: {error.strerror or error}: the certificate or its key cannot be used"
            raise ListenError(msg) from error
        self._server = server
        self._task = asyncio.create_task(server.serve(sockets=[listener]), name="web server")
        await server.answering(self._task)

    async def stop(self) -> None:
        """Close what is open, giving requests under way a second."""
        if self._server and self._task:
            self.app.state.live.close()
            self._server.leave()
            await asyncio.wait({self._task})
            self._server = self._task = None


class _Server(uvicorn.Server):
    """uvicorn that leaves signals to the command line, says when it answers, and stops at once when told to."""

    def __init__(self, config: uvicorn.Config) -> None:
        config.load()
        super().__init__(config)
        self._leaving = asyncio.Event()
        self._answering = asyncio.Event()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    def leave(self) -> None:
        self.should_exit = True
        self._leaving.set()

    async def answering(self, task: asyncio.Task[None]) -> None:
        """Wait until requests are answered; raise what ended ``task`` before that."""
        answering = asyncio.create_task(self._answering.wait(), name="web server answers")
        await asyncio.wait({answering, task}, return_when=asyncio.FIRST_COMPLETED)
        answering.cancel()
        if task.done():
            task.result()
            msg = "the web server ended before it began"
            raise ListenError(msg)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._answering.set()

    async def main_loop(self) -> None:
        tick = 0
        while not await self.on_tick(tick):
            tick = (tick + 1) % 864_000
            try:
                async with asyncio.timeout(_TICK):
                    await self._leaving.wait()
            except TimeoutError:
                continue


def _settings(app: FastAPI, config: WebConfig) -> uvicorn.Config:
    tls = config.tls_config
    return uvicorn.Config(
        app,
        http="h11",
        ws="none",
        lifespan="on",
        log_config=None,
        log_level="warning",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=_GRACE,
        ssl_certfile=tls.cert_file if tls else None,
        ssl_keyfile=tls.key_file if tls else None,
    )


def _bind(listen: str) -> socket.socket:
    address = host_port(listen, lowest=0)
    if address is None:
        msg = f"web.listen: {listen!r} is no HOST:PORT"
        raise ListenError(msg)
    host, port = address
    everywhere = host in {"", "::"} and socket.has_dualstack_ipv6()
    family = socket.AF_INET6 if ":" in host or everywhere else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=_BACKLOG, dualstack_ipv6=everywhere)
    except OSError as error:
        why = os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror
        msg = f"web.listen: cannot listen on {listen}: {why}: choose another address, or stop what has this one"
        raise ListenError(msg) from error


def _url(listener: socket.socket, *, tls: bool) -> str:
    host, port = listener.getsockname()[:2]
    return f"{'https' if tls else 'http'}://{f'[{host}]' if ':' in host else host}:{port}"
