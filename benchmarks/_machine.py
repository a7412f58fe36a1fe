"""The machine under a benchmark: which core is whose, what a process has used of it, and how long the disk takes."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import statistics
import tempfile
import time
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

CORES = sorted(os.sched_getaffinity(0))
OURS, THEIRS = CORES[0], CORES[-1]
"""The core of load generator and receiver, and the core of what is measured."""

_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGESIZE")


def stay_on_our_core() -> None:
    """Keep this process, and threads that it starts from now on, off the core of what is measured."""
    os.sched_setaffinity(0, {OURS})


@asynccontextmanager
async def program(
    command: Sequence[str], log: Path, *, core: int = THEIRS
) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run a program on one core, from its first instruction on; what it says goes to ``log``."""
    with log.open("ab") as output:
        process = await asyncio.create_subprocess_exec(
            *("taskset", "--cpu-list", str(core), *command), stdout=output, stderr=output
        )
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        try:
            async with asyncio.timeout(15):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()


async def kill(process: asyncio.subprocess.Process) -> None:
    """End a process as a power cut would."""
    process.send_signal(signal.SIGKILL)
    await process.wait()


def cpu_seconds(pid: int) -> float:
    """Return the CPU time of a process with all of its threads, by the kernel's count."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def megabytes(pid: int) -> float:
    """Return the resident memory of a process."""
    return int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]) * _PAGE / 1e6


class Peak:
    """The most memory that a process has while this is entered, looked at every 50 ms."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self.megabytes = megabytes(pid)

    async def __aenter__(self) -> Self:
        self._watch = asyncio.create_task(self._look())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._watch.cancel()

    async def _look(self) -> None:
        while True:
            self.megabytes = max(self.megabytes, megabytes(self._pid))
            await asyncio.sleep(0.05)


def fdatasync_milliseconds() -> float:
    """Return how long the disk of temporary files takes to keep 4 KB, in the median of 200."""
    took = []
    with tempfile.TemporaryFile() as file:
        for _ in range(200):
            os.pwrite(file.fileno(), b"x" * 4096, 0)
            began = time.perf_counter()
            os.fdatasync(file.fileno())
            took.append(time.perf_counter() - began)
    return statistics.median(took) * 1000
