"""The demo's processes: each is our own command, started here, ended here, and never left behind."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from bellwire.errors import BellwireError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Coroutine, Mapping, Sequence
    from pathlib import Path

_PATIENCE = 12.0  # seconds to end by itself: the daemon promises 10


class DemoError(BellwireError):
    """The demo cannot go on."""


@asynccontextmanager
async def running(
    arguments: Sequence[str], log: Path, environ: Mapping[str, str] | None = None
) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run ``bellwire ARGUMENTS…`` with its output in ``log``; at the end it gets SIGTERM, and SIGKILL if that is no use.

    It has a session of its own, so that Ctrl-C reaches the demo alone, which then ends things in order.
    """
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "bellwire", *arguments),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env={**os.environ, **(environ or {})},
            start_new_session=True,
        )
    try:
        yield process
    finally:
        await _to_its_end(_end(process))


async def _to_its_end(work: Coroutine[None, None, None]) -> None:
    """Await ``work`` whatever comes: who cancels us meanwhile, however often, waits for it too."""
    task, cancelled = asyncio.ensure_future(work), False
    while not task.done():
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError:
            cancelled = True
    if cancelled:
        raise asyncio.CancelledError
    task.result()


async def _end(process: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
    try:
        async with asyncio.timeout(_PATIENCE):
            await process.wait()
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def until(ready: Path, process: asyncio.subprocess.Process, log: Path) -> str:
    """Return what ``ready`` holds, once the process has written it; DemoError if it ends before that."""
    while not ready.exists():
        check(process, log)
        await asyncio.sleep(0.05)
    return ready.read_text(encoding="utf-8").strip()


def check(process: asyncio.subprocess.Process, log: Path) -> None:
    """Raise DemoError with the log's last lines if the process has ended."""
    if process.returncode is not None:
        tail = "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-15:])
        msg = f"a part of the demo ended with exit code {process.returncode}; {log} says:\n{tail}"
        raise DemoError(msg)
