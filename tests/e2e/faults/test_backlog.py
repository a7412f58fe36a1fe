"""A backlog is no more than a file on the disk: neither memory nor the start notice how long it is."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from _filled import fill

from bad_line import Spoilt
from fault_scene import a_webhook, staged
from harness import TrueDaemon, an_account

if TYPE_CHECKING:
    from fault_scene import Scene

BACKLOG = int(os.environ.get("BACKLOG", "50000"))
PROMISED = 1_000_000
"""`make soak` runs with that many."""

_TICKS = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def peak_megabytes(pid: int) -> float:
    """Return the most memory that the process ever had resident."""
    lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    (peak,) = (line.split()[1] for line in lines if line.startswith("VmHWM:"))
    return int(peak) * 1024 / 1e6


@pytest.mark.timeout(900)
async def test_a_backlog_costs_neither_memory_nor_time_at_the_start(tmp_path: Path) -> None:
    async with staged(tmp_path, daemon=TrueDaemon) as scene:
        await scene.line.be(Spoilt.REFUSED)  # what is sent meanwhile is no part of the start
        waiting = {
            "receivers": [{"name": "hook0", "webhook_configs": [a_webhook(f"http://127.0.0.1:{scene.line.port}/")]}]
        }
        account = an_account(scene.server, name="vendor", mark_read="never")
        scene.daemon.config |= waiting | {"accounts": [account], "route": {"receiver": "hook0"}}
        scene.daemon.write()
        _, without = await start(scene)
        await scene.daemon.kill()
        for left in tmp_path.glob("ledger.db*"):
            left.unlink()
        fill(tmp_path / "ledger.db", account["base_url"], waiting=BACKLOG)
        wall, cpu = await start(scene)
        await scene.line.be(None)
        await scene.troubled.wait_for(min(2000, BACKLOG), 60)
        memory = peak_megabytes(scene.daemon.pid)
        figures = f"started in {wall:.1f} s, {cpu:.1f} s of CPU ({without:.1f} s without), {memory:.0f} MB"
        print(f"{BACKLOG:,} waiting: {figures}")  # noqa: T201 - for whoever measures
        assert memory < 200
        assert cpu - without < 1.0
        if BACKLOG >= PROMISED and without < 2.0:  # else this machine is busy, and the wall's time tells nothing
            assert wall < 3.0


async def start(scene: Scene) -> tuple[float, float]:
    """Start the daemon; return how many seconds that took, and how many of the CPU's."""
    began = time.monotonic()
    await scene.daemon.start()
    await scene.daemon.started()
    return time.monotonic() - began, cpu_seconds(scene.daemon.pid)
