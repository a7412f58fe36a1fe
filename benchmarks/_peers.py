"""The systems that Bellwire is compared with, each given what lets it do the same work."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import _machine
from _payloads import alertmanager, visual_layer
from _wire import Poster

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

    from _receiver import Receiver

_A_POST = 64  # alerts: what Prometheus sends at once
CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "bellwire-bench"


class Peer:
    """What peers have in common: there is nothing to be marked as read."""

    name: str
    kept: str
    missing = ""
    marked_at: float | None = None

    def __init__(self) -> None:
        self.left: dict[int, float] = {}
        self._port = 0

    def clear(self) -> None:
        self.left.clear()

    async def all_marked(self, seconds: float) -> bool:
        del seconds
        return True


class Alertmanager(Peer):
    """Prometheus Alertmanager, as Debian has it; every alert is a group of its own."""

    name = "Alertmanager"
    kept = "nothing: alerts live in memory"

    def __init__(self) -> None:
        super().__init__()
        self._program = shutil.which("prometheus-alertmanager") or ""
        self.missing = "" if self._program else "apt-get install prometheus-alertmanager"
        self._item = alertmanager().item

    @asynccontextmanager
    async def surroundings(self, folder: Path) -> AsyncIterator[None]:
        del folder
        yield

    @asynccontextmanager
    async def running(self, folder: Path, receiver: Receiver) -> AsyncIterator[asyncio.subprocess.Process]:
        self._port = _free_port()
        hook = {"url": receiver.url, "send_resolved": False}
        settings = {
            "route": {"receiver": "hook", "group_by": ["..."], "group_wait": "0s"},
            "receivers": [{"name": "hook", "webhook_configs": [hook]}],
        }
        path = folder / "alertmanager.yml"
        path.write_text(json.dumps(settings))
        command = (
            self._program,
            f"--config.file={path}",
            f"--storage.path={folder}/data",
            f"--web.listen-address=127.0.0.1:{self._port}",
            "--cluster.listen-address=",
        )
        async with _machine.program(command, folder / "alertmanager.log") as process:
            await _listening(self._port)
            _, self._poster = await asyncio.get_running_loop().create_connection(Poster, "127.0.0.1", self._port)
            yield process
            self._poster.close()

    async def put(self, numbers: Iterable[int]) -> None:
        numbers = list(numbers)
        for start in range(0, len(numbers), _A_POST):
            some = numbers[start : start + _A_POST]
            body = b"[%b]" % b",".join([self._item(number) for number in some])
            self.left.update(dict.fromkeys(some, time.perf_counter()))
            status = await self._poster.post("/api/v2/alerts", body)
            assert status == 200, status


class Mqttwarn(Peer):
    """mqttwarn from PyPI in a virtual environment of its own, behind Debian's mosquitto on our core."""

    name = "mqttwarn"
    kept = "nothing: QoS 0, a queue in memory"

    def __init__(self) -> None:
        super().__init__()
        self._broker = shutil.which("mosquitto", path=os.environ["PATH"] + ":/usr/sbin") or ""
        self._program = CACHE / "mqttwarn" / "bin" / "mqttwarn"
        if not self._broker:
            self.missing = "apt-get install mosquitto"
        elif not self._program.exists() and not _install(CACHE / "mqttwarn", "mqttwarn==0.36.1"):
            self.missing = f"pip install mqttwarn, into {CACHE}/mqttwarn"
        self._item = visual_layer().item

    @asynccontextmanager
    async def surroundings(self, folder: Path) -> AsyncIterator[None]:
        self._port = _free_port()
        path = folder / "mosquitto.conf"
        path.write_text(f"listener {self._port} 127.0.0.1\nallow_anonymous true\nmax_queued_messages 0\n")
        command = (self._broker, "-c", str(path))
        async with _machine.program(command, folder / "mosquitto.log", core=_machine.OURS):
            await _listening(self._port)
            self._connection, _ = await asyncio.get_running_loop().create_connection(
                asyncio.Protocol, "127.0.0.1", self._port
            )
            self._connection.write(b"\x10\x11\x00\x04MQTT\x04\x02\x00\x00\x00\x05bench")  # CONNECT, no keep-alive
            yield
            self._connection.close()

    @asynccontextmanager
    async def running(self, folder: Path, receiver: Receiver) -> AsyncIterator[asyncio.subprocess.Process]:
        path = folder / "mqttwarn.ini"
        path.write_text(
            f"[defaults]\nhostname = '127.0.0.1'\nport = {self._port}\nclientid = 'mqttwarn'\nloglevel = INFO\n"
            f"logfile = 'stream://sys.stderr'\nlaunch = http_urllib\n"
            f"[config:http_urllib]\ntargets = {{'hook': ['post', '{receiver.url}', None, None]}}\n"
            f"[bench]\ntopic = bench\ntargets = http_urllib:hook\n"
        )
        environment = ("env", f"MQTTWARNINI={path}")
        async with _machine.program((*environment, str(self._program)), folder / "mqttwarn.log") as process:
            async with asyncio.timeout(30):
                while b"Starting 1 worker" not in (folder / "mqttwarn.log").read_bytes():
                    await asyncio.sleep(0.05)
            await asyncio.sleep(1)  # it subscribes in a thread, and does not say when it has
            yield process

    async def put(self, numbers: Iterable[int]) -> None:
        numbers = list(numbers)
        for start in range(0, len(numbers), _A_POST):
            some = numbers[start : start + _A_POST]
            self.left.update(dict.fromkeys(some, time.perf_counter()))
            self._connection.write(b"".join([_published(self._item(number)) for number in some]))


def _published(payload: bytes) -> bytes:
    """Return an MQTT 3.1.1 PUBLISH of QoS 0 to the topic ``bench``."""
    rest = b"\x00\x05bench" + payload
    length, digits = len(rest), bytearray()
    while True:
        length, digit = divmod(length, 128)
        digits.append(digit | (128 if length else 0))
        if not length:
            return b"\x30" + digits + rest


def _install(folder: Path, package: str) -> bool:
    """Make a virtual environment with this package; False if that cannot be."""
    made = subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=False)
    pip = [str(folder / "bin" / "pip"), "install", "--quiet", "--disable-pip-version-check", package]
    return made.returncode == 0 and subprocess.run(pip, check=False).returncode == 0


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


async def _listening(port: int) -> None:
    """Wait until someone listens there."""
    async with asyncio.timeout(30):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.05)
            else:
                writer.close()
                return
