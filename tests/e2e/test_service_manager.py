"""What systemd hears of the daemon: it is ready, it reloads, it stops; and the watchdog is fed only while all parts move."""

from __future__ import annotations

import asyncio
import signal
import socket
import time
from typing import TYPE_CHECKING, Self

import pytest

from bellwire.demo.receivers.journal import Journal
from harness import TrueDaemon, to_pager

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bellwire.demo.receivers.http import WebhookReceiver
    from bellwire.reference.serve import ReferenceServer

# A disk that hangs: the write neither succeeds nor fails, for as long as a file exists.
HANGING_DISK = """
import os
import sys
import time
from bellwire.ledger.writer import Writer

write = Writer._write

def wait_and_write(self, jobs):
    while os.path.exists(os.environ["HANGING"]):
        time.sleep(0.02)
    return write(self, jobs)

Writer._write = wait_and_write
from bellwire.cli import main
sys.argv[0] = "bellwire"
main()
"""


class Manager(Journal[dict[str, str]]):
    """Listens where ``NOTIFY_SOCKET`` points, as systemd does."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)

    def __enter__(self) -> Self:
        self._socket.bind(str(self.path))
        self._socket.settimeout(0)
        asyncio.get_running_loop().add_reader(self._socket, self._read)
        return self

    def __exit__(self, *_error: object) -> None:
        asyncio.get_running_loop().remove_reader(self._socket)
        self._socket.close()

    def _read(self) -> None:
        lines = self._socket.recv(4096).decode().split("\n")
        self.add(dict(line.split("=", 1) for line in lines))

    def heard(self, name: str) -> list[dict[str, str]]:
        return [message for message in self.messages if name in message]

    async def hear(self, name: str, count: int = 1) -> list[dict[str, str]]:
        await self.wait_until(lambda _: len(self.heard(name)) >= count)
        return self.heard(name)


@pytest.fixture
async def manager(tmp_path: Path) -> Iterator[Manager]:  # type: ignore[misc]  # async only for the running loop
    with Manager(tmp_path / "notify") as listening:
        yield listening


class WatchedDaemon(TrueDaemon):
    """A daemon under a service manager, whose disk can be made to hang."""

    def __init__(self, folder: Path, config: dict[str, object], manager: Manager) -> None:
        self.hanging = folder / "hanging"
        environ = {"NOTIFY_SOCKET": str(manager.path), "WATCHDOG_USEC": "400000", "HANGING": str(self.hanging)}
        super().__init__(folder, config, environ)
        self.program = ("-c", HANGING_DISK)


async def test_the_service_manager_hears_of_every_turn_in_the_daemons_life(
    server: ReferenceServer, pager: WebhookReceiver, manager: Manager, tmp_path: Path
) -> None:
    async with WatchedDaemon(tmp_path, to_pager(server, pager), manager) as daemon:
        (ready,) = await manager.hear("READY")
        assert ready == {"READY": "1", "STATUS": "accounts: 1, channels: 1"}
        await manager.hear("WATCHDOG", 3)
        before = time.monotonic_ns() // 1000
        daemon.signal(signal.SIGHUP)
        (reloading,) = await manager.hear("RELOADING")
        assert before <= int(reloading["MONOTONIC_USEC"]) <= time.monotonic_ns() // 1000
        assert (await manager.hear("READY", 2))[1]["READY"] == "1"
        daemon.config["route"] = {"receiver": "nobody"}
        daemon.write()
        daemon.signal(signal.SIGHUP)
        failed = (await manager.hear("READY", 3))[2]  # a reload ends with READY, whatever came of it
        assert failed["STATUS"].endswith("the last reload failed")
        daemon.signal(signal.SIGTERM)
        (stopping,) = await manager.hear("STOPPING")
        assert stopping["STATUS"] == "sending what is under way"
        assert await daemon.exit_code() == 0


async def test_the_watchdog_goes_unfed_while_a_part_is_stuck_and_is_fed_again_when_it_moves(
    server: ReferenceServer, pager: WebhookReceiver, manager: Manager, tmp_path: Path
) -> None:
    async with WatchedDaemon(tmp_path, to_pager(server, pager), manager) as daemon:
        await manager.hear("READY")
        await manager.hear("WATCHDOG", 3)
        daemon.hanging.touch()
        status, reasons = await daemon.get("/-/ready")  # it took a commit's patience to find out
        assert (status, "the ledger takes too long to write" in reasons) == (503, True)
        fed = len(manager.heard("WATCHDOG"))
        began = time.monotonic()
        await daemon.get("/-/ready")
        assert time.monotonic() - began > 5 * 0.2  # five turns of the watchdog, and more
        assert (await daemon.get("/-/healthy"))[0] == 200  # the loop turns: only a part of it is stuck
        assert len(manager.heard("WATCHDOG")) == fed
        daemon.hanging.unlink()
        await manager.hear("WATCHDOG", fed + 3)
        assert (await daemon.get("/-/ready"))[0] == 200
