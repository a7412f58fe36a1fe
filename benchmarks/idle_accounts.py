"""What accounts cost while nothing happens, by their number: to connect them all, in memory, in CPU.

The vendor sends each stream a comment every 45 s, as vendors do so that proxies keep the connection.

    python benchmarks/idle_accounts.py [ACCOUNTS …]    by default 10 1000 10000; SECONDS=60 is how long CPU is measured
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import _machine
import uvloop
from _bellwire import configuration
from _figures import shown, table
from _vendor import vending

SECONDS = float(os.environ.get("SECONDS", "60"))
PATIENCE = 300.0


async def main() -> None:
    _machine.stay_on_our_core()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    numbers = [int(each) for each in sys.argv[1:]] or [10, 1000, 10_000]
    rows = [await measured(accounts) for accounts in numbers]
    print("accounts that stream, and nothing comes\n")
    print(table(("accounts", "s until all stream", "CPU s for it", "MB", "% of a core while silent"), rows))


async def measured(accounts: int) -> tuple[str, ...]:
    with tempfile.TemporaryDirectory() as name:
        async with vending() as (vendor, address):
            each = {"api": "visual_layer", "base_url": f"{address}/visual_layer", "authorization": {"credentials": "t"}}
            path = Path(name) / "bellwire.yaml"
            settings = configuration(
                Path(name), "http://127.0.0.1:9/", [each | {"name": f"account{number}"} for number in range(accounts)]
            )
            path.write_text(json.dumps(settings | {"global": {"log_level": "warning"}}))
            began = time.perf_counter()
            command = (sys.executable, "-m", "bellwire", "run", "--config", str(path))
            async with _machine.program(command, Path(name) / "log") as process:
                keeping = asyncio.create_task(vendor.keep_alive(45.0))
                async with asyncio.timeout(PATIENCE):
                    while len(vendor.streams) < accounts:
                        await asyncio.sleep(0.05)
                connected = time.perf_counter() - began
                to_connect = _machine.cpu_seconds(process.pid)
                await quiet(process.pid)
                before = _machine.cpu_seconds(process.pid)
                await asyncio.sleep(SECONDS)
                cpu = (_machine.cpu_seconds(process.pid) - before) / SECONDS * 100
                memory = _machine.megabytes(process.pid)
                keeping.cancel()
                with suppress(asyncio.CancelledError):
                    await keeping
    return f"{accounts:,}", shown(connected, 1), shown(to_connect, 1), shown(memory), shown(cpu, 2)


async def quiet(pid: int) -> None:
    """Wait until everything has been listed and written down: until a second takes less than a tenth of a core."""
    async with asyncio.timeout(PATIENCE):
        while True:
            before = _machine.cpu_seconds(pid)
            await asyncio.sleep(1)
            if _machine.cpu_seconds(pid) - before < 0.1:
                return


if __name__ == "__main__":
    uvloop.run(main())
