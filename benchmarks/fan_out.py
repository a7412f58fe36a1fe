"""One alert to many receivers: how many messages a second, and what each costs.

python benchmarks/fan_out.py [RECEIVERS …]         by default 1 10
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
import time
from pathlib import Path

import _machine
import uvloop
from _bellwire import Bellwire
from _figures import shown, table
from _receiver import receiving

MESSAGES = int(os.environ.get("MESSAGES", "10000"))
PATIENCE = 300.0


async def main() -> None:
    _machine.stay_on_our_core()
    numbers = [int(each) for each in sys.argv[1:]] or [1, 10]
    rows = [await measured(receivers) for receivers in numbers]
    print(f"{MESSAGES:,} messages, from as many alerts as that takes\n")
    print(table(("receivers", "alerts", "messages/s", "CPU s/1,000 messages", "MB at most"), rows))


async def measured(receivers: int) -> tuple[str, ...]:
    system = Bellwire("visual_layer", "", receivers=receivers)
    alerts = MESSAGES // receivers
    with tempfile.TemporaryDirectory() as name:
        async with (
            receiving() as receiver,
            system.surroundings(Path(name)),
            system.running(Path(name), receiver) as process,
        ):
            await asyncio.sleep(1)
            before = _machine.cpu_seconds(process.pid)
            began = time.perf_counter()
            async with _machine.Peak(process.pid) as peak:
                await system.put(range(alerts))
                async with asyncio.timeout(PATIENCE):
                    while receiver.requests < alerts * receivers:
                        await asyncio.sleep(0.02)
                took = time.perf_counter() - began
                await system.all_marked(PATIENCE)
            cpu = (_machine.cpu_seconds(process.pid) - before) / MESSAGES * 1000
    return str(receivers), f"{alerts:,}", shown(MESSAGES / took), shown(cpu, 2), shown(peak.megabytes)


if __name__ == "__main__":
    uvloop.run(main())
