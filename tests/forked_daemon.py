"""A daemon that can be killed and started again many times a second: forked from a process that has imported it."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from harness import Daemon

if TYPE_CHECKING:
    from types import TracebackType

_PRELOADED = Path(__file__).with_name("preloaded.py")


class ForkedDaemon(Daemon):
    """As `Daemon`; what differs is only where its processes come from."""

    _parent: asyncio.subprocess.Process | None = None
    _pid: int | None = None
    _log: asyncio.Task[None] | None = None

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.kill()
        if self._parent is not None and self._parent.stdin is not None:
            self._parent.stdin.close()
            await self._parent.wait()
        if self._log is not None:
            await self._log

    async def start(self, *options: str) -> None:
        if self._parent is None:
            self._parent = self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, str(_PRELOADED)),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                env=self._environ,
            )
            self._log = asyncio.create_task(self._read())
        self.logged.messages.clear()
        assert self._parent.stdin is not None
        arguments = ["run", "--config", str(self.path), *options]
        self._parent.stdin.write(json.dumps(arguments).encode() + b"\n")
        await self._parent.stdin.drain()
        self._pid = await self._answer()

    async def kill(self) -> None:
        if self._pid is not None:
            with suppress(ProcessLookupError):
                os.kill(self._pid, signal.SIGKILL)
            await self._end()

    async def terminate(self) -> int:
        os.kill(self.pid, signal.SIGTERM)
        return await self._end()

    def signal(self, number: int) -> None:
        os.kill(self.pid, number)

    @property
    def pid(self) -> int:
        assert self._pid is not None
        return self._pid

    async def _end(self) -> int:
        code = await self._answer()
        self._pid = None
        return code

    async def _answer(self) -> int:
        assert self._parent is not None
        assert self._parent.stdout is not None
        return int(await self._parent.stdout.readline())
