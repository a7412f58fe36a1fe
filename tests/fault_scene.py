"""Where faults happen: a vendor, a receiver that nothing is wrong with, one behind a `Line`, and the daemon between."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bad_line import Line, Spoilt
from bellwire.demo.receivers.http import WebhookReceiver
from bellwire.reference.serve import ReferenceServer, serving
from bellwire.reference.settings import ReferenceSettings, User
from harness import API, SIGNING_SECRET, TOKEN, USER, Daemon, an_account, eventually
from oracle import Oracle

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Mapping
    from pathlib import Path

STEADY, TROUBLED = "steady", "troubled"
TIMEOUT = 1.0
"""Seconds: no time-out of this daemon is longer."""

QUICK: dict[str, Any] = {"retry": {"initial_backoff": "50ms", "max_backoff": "300ms"}}


@dataclass(kw_only=True)
class Scene:
    """All of it, running; ``oracle`` knows what must come of it."""

    server: ReferenceServer
    steady: WebhookReceiver
    troubled: WebhookReceiver
    line: Line
    daemon: Daemon
    oracle: Oracle

    @contextlib.asynccontextmanager
    async def spoilt(self, how: Spoilt) -> AsyncIterator[None]:
        """Spoil the line for as long as this lasts."""
        with self.oracle.cut(TROUBLED):
            await self.line.be(how)  # whatever was being answered is cut off
        with self.oracle.cut(TROUBLED) if how.reaches else contextlib.nullcontext():
            yield
            await self.line.be(None)

    async def kill(self) -> None:
        """``kill -9``: whatever was being answered may not have been heard."""
        with self.oracle.cut():
            await self.daemon.kill()

    async def frozen(self, seconds: float) -> None:
        """Stop the daemon's process for so long, and let it go on."""
        with self.oracle.cut():
            self.daemon.signal(signal.SIGSTOP)
            await passed(seconds)
            self.daemon.signal(signal.SIGCONT)
            # what it did not hear while it slept, it finds out only now
            await passed(TIMEOUT)

    async def told(self, **fields: Any) -> None:
        """Wait until the daemon has logged this."""
        await self.daemon.wait_for_log(lambda line: all(line.get(name) == value for name, value in fields.items()))

    async def steady_has_all(self) -> None:
        """Wait until the receiver that nothing is wrong with has everything."""
        await eventually(lambda: STEADY not in self.oracle.missing())


def a_webhook(url: str, **values: Any) -> dict[str, Any]:
    return {"url": url, "signing_secret": SIGNING_SECRET, "timeout": f"{TIMEOUT:.0f}s", **values}


def quick_account(server: ReferenceServer, **values: Any) -> dict[str, Any]:
    """Return an account whose every pause and time-out is short."""
    return an_account(
        server,
        **{
            "stream": {"stall_timeout": f"{TIMEOUT:.0f}s"},
            "poll": {"min_interval": "100ms", "max_interval": "500ms"},
            "http_config": {"timeout": f"{TIMEOUT:.0f}s"},
        }
        | values,
    )


def configuration(server: ReferenceServer, urls: Mapping[str, str], *, grouped: bool = True) -> dict[str, Any]:
    """Return a configuration that sends every alert to all of these, and drops what is none."""
    group = {"group_by": ["view_name"], "group_interval": "50ms"} if grouped else {}
    everywhere = [{"receiver": name, "continue": True, **group} for name in urls]
    return {
        "accounts": [quick_account(server)],
        "route": {
            "receiver": next(iter(urls)),
            "routes": [{"matchers": ['type = "notification"'], "receiver": None}, *everywhere],
        },
        "receivers": [{"name": name, "webhook_configs": [a_webhook(url)], **QUICK} for name, url in urls.items()],
    }


@contextlib.asynccontextmanager
async def staged(
    folder: Path,
    *,
    daemon: type[Daemon] = Daemon,
    tls: ssl.SSLContext | None = None,
    grouped: bool = True,
    environ: dict[str, str] | None = None,
    **changes: Any,
) -> AsyncIterator[Scene]:
    """Give the scene; the daemon is not started. With ``tls`` the line leads to a receiver that speaks it.

    ``changes`` replace sections of the configuration.
    """
    settings = ReferenceSettings(users=(User(name=USER, tokens=(TOKEN,)),), keep_alive=0.2, log_size=100_000)
    async with (
        serving(settings) as server,
        WebhookReceiver(secrets=[SIGNING_SECRET]) as steady,
        WebhookReceiver(secrets=[SIGNING_SECRET], tls=tls) as troubled,
        Line(troubled.port) as line,
    ):
        scheme = "https" if tls else "http"
        urls = {STEADY: steady.url, TROUBLED: f"{scheme}://127.0.0.1:{line.port}/hook"}
        config = configuration(server, urls, grouped=grouped) | changes
        program = daemon(folder, config, environ)
        oracle = Oracle(server=server, receivers={STEADY: steady, TROUBLED: troubled})
        scene = Scene(server=server, steady=steady, troubled=troubled, line=line, daemon=program, oracle=oracle)
        try:
            yield scene
        finally:
            await program.__aexit__(None, None, None)


@contextlib.asynccontextmanager
async def playing(folder: Path, **values: Any) -> AsyncIterator[Scene]:
    """Give the scene with the daemon streaming."""
    async with staged(folder, **values) as scene:
        await scene.daemon.start()
        await scene.daemon.streaming()
        yield scene


async def flow(oracle: Oracle, ended: asyncio.Event, per_second: int = 200, most: int | None = None) -> None:
    """Let items come at this rate, five at a time, until it has ended; ``most`` of them, however long that takes."""
    moment = asyncio.get_running_loop().time()
    while not ended.is_set():
        if most is None or len(oracle.wanted) < most:
            oracle.emit(5)
        moment += 5 / per_second
        await at(moment)


@contextlib.asynccontextmanager
async def flowing(oracle: Oracle, per_second: int = 200, most: int | None = None) -> AsyncIterator[None]:
    """Let items come at this rate for as long as this lasts."""
    ended = asyncio.Event()
    task = asyncio.create_task(flow(oracle, ended, per_second, most))
    try:
        yield
    finally:
        ended.set()
        await task


async def at(moment: float) -> None:
    """Wait until the loop's clock says so: a rate is time, and so is being frozen; nothing announces them."""
    reached = asyncio.Event()
    asyncio.get_running_loop().call_at(moment, reached.set)
    await reached.wait()


async def passed(seconds: float) -> None:
    """Wait until so much time has passed."""
    await at(asyncio.get_running_loop().time() + seconds)


def marks_of(server: ReferenceServer) -> dict[str, int]:
    """Return how often each item was marked as read."""
    return {item.id: item.marks for item in server.items(API, USER)}
