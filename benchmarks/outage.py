"""A backlog after an outage: how long the daemon takes to start with it, to begin, and to deliver it all.

python benchmarks/outage.py [WAITING …]            by default 0 20000 200000; 1000000 is what it is made for
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from pathlib import Path

import _machine
import uvloop
from _bellwire import Bellwire
from _figures import shown, table
from _filled import fill
from _receiver import receiving

PATIENCE = 3600.0


async def main() -> None:
    _machine.stay_on_our_core()
    sizes = [int(each) for each in sys.argv[1:]] or [0, 20_000, 200_000]
    rows = [await measured(waiting) for waiting in sizes]
    print("a backlog, delivered alert by alert and marked one by one\n")
    heads = ("waiting", "s to stream", "s to the first", "delivered/s", "marked/s", "MB at most", "MB after")
    print(table(heads, rows))


async def measured(waiting: int) -> tuple[str, ...]:
    system = Bellwire("visual_layer", "")
    with tempfile.TemporaryDirectory() as name:
        async with receiving() as receiver, system.surroundings(Path(name)):
            fill(Path(name) / "ledger.db", system.base_url, waiting=waiting)
            began = time.perf_counter()
            async with system.running(Path(name), receiver) as process:
                started = time.perf_counter() - began
                async with _machine.Peak(process.pid) as peak:
                    await receiver.wait_for(waiting, PATIENCE)
                    async with asyncio.timeout(PATIENCE):
                        while system.marks < waiting:
                            await asyncio.sleep(0.05)
                await asyncio.sleep(3)
                after = _machine.megabytes(process.pid)
    memory = shown(peak.megabytes), shown(after)
    if not waiting:
        return "0", shown(started, 2), "-", "-", "-", *memory
    first, last = min(receiver.arrived.values()), max(receiver.arrived.values())
    rates = shown(waiting / (last - first)), shown(waiting / (system.marked_at - first))
    return f"{waiting:,}", shown(started, 2), shown(first - began, 2), *rates, *memory


if __name__ == "__main__":
    uvloop.run(main())
