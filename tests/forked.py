"""Processes of ``bellwire`` that are forked from one that has imported it: they begin in no time.

All tests of a session share that one (`preloaded.py`). Whoever wants a process sends it one byte with three descriptors:
a line to talk on, and what is to be the new one's stdout and stderr. On the line go its arguments and environment as
JSON; back come its id, and its exit code once it has ended. It is killed if the line closes before that: when pytest
ends, however it does, so do all that it started.
"""

from __future__ import annotations

import asyncio
import atexit
import functools
import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Sequence

_PRELOADED = Path(__file__).with_name("preloaded.py")


class ForkedProcess:
    """As much of an ``asyncio.subprocess.Process`` as tests use."""

    def __init__(self, pid: int, line: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.pid = pid
        self.stdout: asyncio.StreamReader | None = None
        self.stderr: asyncio.StreamReader | None = None
        self._writer = writer
        self._ended = asyncio.create_task(self._hear(line))

    @classmethod
    async def begin(cls, arguments: Sequence[str], environ: dict[str, str], *, silent: bool) -> Self:
        """Run ``bellwire`` with these arguments; if ``silent``, what it prints to stdout is thrown away."""
        ours, theirs = socket.socketpair()
        out = None if silent else os.pipe()
        err = os.pipe()
        written = [os.open(os.devnull, os.O_WRONLY) if out is None else out[1], err[1]]
        with theirs:
            socket.send_fds(_preloaded(), [b"."], [theirs.fileno(), *written])
        for each in written:
            os.close(each)
        line, writer = await asyncio.open_connection(sock=ours)
        writer.write(json.dumps([arguments, environ]).encode() + b"\n")
        begun = cls(int(await line.readline()), line, writer)
        begun.stdout = None if out is None else await _readable(out[0])
        begun.stderr = await _readable(err[0])
        return begun

    @property
    def returncode(self) -> int | None:
        return self._ended.result() if self._ended.done() else None

    def send_signal(self, number: int) -> None:
        if not self._ended.done():
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    async def wait(self) -> int:
        return await asyncio.shield(self._ended)

    async def communicate(self) -> tuple[bytes, bytes]:
        """Return all that it prints to stdout and to stderr."""
        assert self.stdout is not None
        assert self.stderr is not None
        out, err, _ = await asyncio.gather(self.stdout.read(), self.stderr.read(), self.wait())
        return out, err

    async def _hear(self, line: asyncio.StreamReader) -> int:
        try:
            return int(await line.readline())
        finally:
            self._writer.close()


@functools.cache
def _preloaded() -> socket.socket:
    """Start the process that all others are forked from, and return the line to it; it ends when that closes."""
    ours, theirs = socket.socketpair()
    with theirs:
        process = subprocess.Popen([sys.executable, str(_PRELOADED), str(theirs.fileno())], pass_fds=[theirs.fileno()])  # noqa: S603 - our own words

    def end() -> None:
        ours.close()
        process.wait()

    atexit.register(end)
    return ours


async def _readable(descriptor: int) -> asyncio.StreamReader:
    reader = asyncio.StreamReader()
    pipe = os.fdopen(descriptor, "rb")
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), pipe)
    return reader
