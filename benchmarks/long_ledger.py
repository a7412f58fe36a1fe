"""What an alert costs when the ledger has settled many before: it must be the same.

python benchmarks/long_ledger.py [SETTLED …]       by default 0 100000 1000000; 10000000 takes 10 GB and some minutes
"""

from __future__ import annotations

import os
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

BURST = int(os.environ.get("BURST", "5000"))
PATIENCE = 300.0


async def main() -> None:
    _machine.stay_on_our_core()
    sizes = [int(each) for each in sys.argv[1:]] or [0, 100_000, 1_000_000]
    rows = [await measured(settled) for settled in sizes]
    print(f"a burst of {BURST} into a ledger with alerts that were settled before\n")
    print(table(("settled", "delivered/s", "CPU s/1,000", "MB on disk", "s to fill it", "s to start"), rows))


async def measured(settled: int) -> tuple[str, ...]:
    system = Bellwire("visual_layer", "")
    with tempfile.TemporaryDirectory() as name:
        async with receiving() as receiver, system.surroundings(Path(name)):
            began = time.perf_counter()
            fill(Path(name) / "ledger.db", system.base_url, settled=settled)
            filled = time.perf_counter() - began
            began = time.perf_counter()
            async with system.running(Path(name), receiver) as process:
                started = time.perf_counter() - began
                await system.put(range(200))  # to get warm
                await receiver.wait_for(200, PATIENCE)
                await system.all_marked(PATIENCE)
                before = _machine.cpu_seconds(process.pid)
                await system.put(range(200, 200 + BURST))
                await receiver.wait_for(200 + BURST, PATIENCE)
                await system.all_marked(PATIENCE)
                cpu = (_machine.cpu_seconds(process.pid) - before) / BURST * 1000
        size = (Path(name) / "ledger.db").stat().st_size / 1e6
    took = max(receiver.arrived.values()) - system.left[200]
    figures = shown(BURST / took), shown(cpu, 2), shown(size), shown(filled, 1), shown(started, 2)
    return f"{settled:,}", *figures


if __name__ == "__main__":
    uvloop.run(main())
