"""What accounts cost while nothing happens, by their number: to connect them all, in memory, in CPU.

The vendor sends each stream a comment every 45 s, as vendors do so that proxies keep the connection. Accounts that poll
do so as seldom as the default lets them, every 5 minutes.

    python benchmarks/idle_accounts.py [ACCOUNTS …]    by default 10 1000 10000; SECONDS=60 is how long CPU is measured
    MODE=poll python benchmarks/idle_accounts.py       accounts that poll (ELAN); there SECONDS=300, so that each does
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
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import _machine
import uvloop
from _bellwire import configuration
from _figures import shown, table
from _vendor import vending

POLLS = os.environ.get("MODE") == "poll"
SECONDS = float(os.environ.get("SECONDS", "300" if POLLS else "60"))
PATIENCE = 300.0


async def main() -> None:
    _machine.stay_on_our_core()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    numbers = [int(each) for each in sys.argv[1:]] or [10, 1000, 10_000]
    figures = [await measured(accounts) for accounts in numbers]
    least = min(figures, key=lambda each: each.accounts)
    rows = [each.row(least) for each in figures]
    what, begun = ("poll", "s until all were listed") if POLLS else ("stream", "s until all stream")
    print(f"accounts that {what}, and nothing comes\n")
    print(
        table(("accounts", begun, "CPU s for it", "MB", "KB each beyond the first", "% of a core while silent"), rows)
    )


@dataclass(frozen=True, slots=True)
class Figures:
    """What so many accounts took: seconds and CPU seconds to connect, MB, per cent of a core."""

    accounts: int
    connected: float
    to_connect: float
    memory: float
    cpu: float

    def row(self, least: Figures) -> tuple[str, ...]:
        """Return it as the table shows it, beside what the fewest accounts took."""
        more = self.accounts - least.accounts
        each = shown((self.memory - least.memory) * 1000 / more, 1) if more else ""
        figures = (shown(self.connected, 1), shown(self.to_connect, 1), shown(self.memory), each, shown(self.cpu, 2))
        return (f"{self.accounts:,}", *figures)


async def measured(accounts: int) -> Figures:
    with tempfile.TemporaryDirectory() as name:
        async with vending() as (vendor, address):
            api = "elan" if POLLS else "visual_layer"
            each: dict[str, Any] = {"api": api, "base_url": f"{address}/{api}", "authorization": {"credentials": "t"}}
            if POLLS:
                each["poll"] = {"min_interval": "5m", "max_interval": "5m"}
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
                    while (vendor.pages if POLLS else len(vendor.streams)) < accounts:
                        await asyncio.sleep(0.05)
                connected = time.perf_counter() - began
                to_connect = _machine.cpu_seconds(process.pid)
                async with asyncio.timeout(PATIENCE):
                    while vendor.pages < (1 if POLLS else 2) * accounts:  # beside a stream, a list is soon read again
                        await asyncio.sleep(0.5)
                await quiet(process.pid)
                before = _machine.cpu_seconds(process.pid)
                await asyncio.sleep(SECONDS)
                cpu = (_machine.cpu_seconds(process.pid) - before) / SECONDS * 100
                memory = _machine.megabytes(process.pid)
                keeping.cancel()
                with suppress(asyncio.CancelledError):
                    await keeping
    return Figures(accounts, connected, to_connect, memory, cpu)


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
