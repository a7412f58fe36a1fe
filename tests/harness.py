"""The real daemon as a process of its own, and an oracle that knows what must have come of everything."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import sys
import urllib.error
import urllib.request
from asyncio.subprocess import DEVNULL, PIPE
from collections import Counter
from typing import TYPE_CHECKING, Any, Self

from bellwire.demo.receivers.journal import Journal
from forked import ForkedProcess

if TYPE_CHECKING:
    from asyncio.subprocess import Process
    from collections.abc import Callable
    from pathlib import Path
    from types import TracebackType

    from bellwire.demo.receivers.http import Request, WebhookReceiver
    from bellwire.reference.serve import ReferenceServer

API, USER, TOKEN = "visual_layer", "oncall", "secret-token-of-oncall"
SIGNING_SECRET = "whsec_c2VjcmV0LWZvci10aGUtcGFnZXI="


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def an_account(server: ReferenceServer, **values: Any) -> dict[str, Any]:
    return {
        "name": "vision",
        "api": API,
        "base_url": server.base_url(API),
        "authorization": {"credentials": TOKEN},
        "catch_up": {"first_start": "all"},
    } | values


def to_pager(server: ReferenceServer, pager: WebhookReceiver, **values: Any) -> dict[str, Any]:
    """Return a configuration that sends every alert of one account to one webhook."""
    webhook = {"url": pager.url, "signing_secret": SIGNING_SECRET}
    return {
        "accounts": [an_account(server)],
        "route": {"receiver": "pager"},
        "receivers": [{"name": "pager", "webhook_configs": [webhook]}],
    } | values


class Daemon:
    """``bellwire run`` in a process; what it logs can be waited on. It never outlives its ``async with``.

    Its processes are forked, as are those of commands: see `forked`. `TrueDaemon` is for what only a whole start shows.
    """

    def __init__(self, folder: Path, config: dict[str, Any], environ: dict[str, str] | None = None) -> None:
        self.port = free_port()
        self.path = folder / "bellwire.yaml"
        self.config = {
            "storage": {"url": f"sqlite:///{folder}/ledger.db"},
            "web": {"listen": f"127.0.0.1:{self.port}"},
        } | config
        self.write()
        self.logged: Journal[dict[str, Any]] = Journal()
        self.output = b""
        self._environ = os.environ | (environ or {})
        self._process: Process | ForkedProcess | None = None
        self._reader: asyncio.Task[None] | None = None

    def write(self) -> None:
        self.path.write_text(json.dumps(self.config))  # JSON is YAML

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.kill()

    async def start(self, *options: str) -> None:
        self.logged.messages.clear()
        self._process = await self._begin("run", "--config", str(self.path), *options, silent=True)
        self._reader = asyncio.create_task(self._read())

    async def started(self) -> None:
        await self.wait_for_log(lambda line: line.get("event") == "started")

    async def streaming(self, account: str = "vision") -> None:
        await self.started()
        await self.wait_for_log(
            lambda line: (
                line.get("account") == account
                and line.get("event") == "source_state"
                and line.get("state") == "streaming"
            )
        )

    async def wait_for_log(self, condition: Callable[[dict[str, Any]], bool]) -> None:
        await self.logged.wait_until(lambda lines: any(condition(line) for line in lines))

    async def kill(self) -> None:
        """``kill -9``, and wait until it is gone."""
        if self._process is None:
            return
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
        await self._end()

    async def terminate(self) -> int:
        """SIGTERM; return the exit code."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        return await self._end()

    async def exit_code(self) -> int:
        return await self._end()

    def signal(self, number: int) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    async def get(self, path: str) -> tuple[int, str]:
        return await asyncio.to_thread(fetch, f"http://127.0.0.1:{self.port}{path}")

    async def command(self, *arguments: str) -> tuple[int, str, str]:
        """Run a command of ours with the same configuration."""
        process = await self._begin(*arguments, "--config", str(self.path))
        out, err = await process.communicate()
        assert process.returncode is not None
        return process.returncode, out.decode(), err.decode()

    async def _begin(self, *arguments: str, silent: bool = False) -> Process | ForkedProcess:
        return await ForkedProcess.begin(arguments, self._environ, silent=silent)

    async def _end(self) -> int:
        assert self._process is not None
        code = await self._process.wait()
        if self._reader is not None:
            await self._reader
            self._reader = None
        return code

    async def _read(self) -> None:
        assert self._process is not None
        assert self._process.stderr is not None
        async for line in self._process.stderr:
            self.output += line
            with contextlib.suppress(ValueError):
                self.logged.add(json.loads(line))


class TrueDaemon(Daemon):
    """One whose every process is a Python of its own, that imports what it needs: as in life."""

    program: tuple[str, ...] = ("-m", "bellwire")

    async def _begin(self, *arguments: str, silent: bool = False) -> Process:
        command = (sys.executable, *self.program, *arguments)
        stdout = DEVNULL if silent else PIPE
        return await asyncio.create_subprocess_exec(*command, stdout=stdout, stderr=PIPE, env=self._environ)


def fetch(url: str) -> tuple[int, str]:
    """GET, with whatever status."""
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310 - loopback
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


async def eventually(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    """Wait until a condition holds that nothing announces; TimeoutError if it does not come to that.

    Servers run beside it, in the same loop: looking takes a tenth of the time at most, however much there is to look at.
    """
    loop, nothing = asyncio.get_running_loop(), asyncio.Event()
    async with asyncio.timeout(seconds):
        began = loop.time()
        while not condition():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(nothing.wait(), max(0.02, 9 * (loop.time() - began)))
            began = loop.time()


def upstream_ids(requests: list[Request]) -> Counter[str]:
    """Count how often each item was named in webhooks."""
    return Counter(alert["upstream_id"] for request in requests for alert in request.json["alerts"])


def unread(server: ReferenceServer) -> list[str]:
    return [item.id for item in server.items(API, USER) if item.read_at is None]
