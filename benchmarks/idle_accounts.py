"""What 1,000 accounts cost while nothing happens: CPU and memory of one real daemon, streaming and polling.

Its vendor runs here, in another process. CPU is taken over a window once all have settled; memory is what the accounts
add to a daemon that has one. It prints figures beside the goals and judges nothing.

    python benchmarks/idle_accounts.py [ACCOUNTS] [SECONDS]
"""

from __future__ import annotations

import asyncio
import json
import resource
import sys
import tempfile
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from bellwire.reference.serve import ReferenceServer, serving
from bellwire.reference.settings import ReferenceSettings, User

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

API, USER, TOKEN = "visual_layer", "ann", "ann-token"
GOAL_CPU, GOAL_KB = 5, 60


def config(server: ReferenceServer, folder: Path, mode: str, accounts: int) -> dict[str, Any]:
    every = {
        "api": API,
        "base_url": server.base_url(API),
        "authorization": {"credentials": TOKEN},
        "mode": mode,
        "poll": {"min_interval": "5m", "max_interval": "5m"},  # where polls that find nothing end up
    }
    return {
        "global": {"log_level": "warning"},
        "storage": {"url": f"sqlite:///{folder}/ledger.db"},
        "web": {"listen": ""},
        "accounts": [every | {"name": f"account{number}"} for number in range(accounts)],
        "route": {"receiver": "pager"},
        "receivers": [{"name": "pager", "webhook_configs": [{"url": "http://127.0.0.1:9/"}]}],
    }


@asynccontextmanager
async def daemon(settings: dict[str, Any], folder: Path) -> AsyncIterator[psutil.Process]:
    path = folder / "bellwire.yaml"
    path.write_text(json.dumps(settings))
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bellwire", "run", "--config", str(path)), stderr=asyncio.subprocess.DEVNULL
    )
    try:
        yield psutil.Process(process.pid)
    finally:
        process.terminate()
        await process.wait()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(300):
        while not condition():
            await asyncio.sleep(0.1)


async def settled(server: ReferenceServer, mode: str, accounts: int, before: int) -> None:
    """Wait until every account has read its list, and has a stream if it is to have one."""
    streams = accounts if mode == "auto" else 0
    await until(lambda: len(server.streams.matching()) == streams)
    await until(lambda: server.log.total - before >= accounts + streams)
    await asyncio.sleep(3)  # and has written down where it stands


def cpu_seconds(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


async def measure(server: ReferenceServer, mode: str, accounts: int, seconds: float) -> tuple[float, float, int]:
    """Return the daemon's CPU in percent of a core, its KB, and the calls it made meanwhile."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        before = server.log.total
        async with daemon(config(server, folder, mode, accounts), folder) as process:
            await settled(server, mode, accounts, before)
            calls, began = server.log.total, cpu_seconds(process)
            await asyncio.sleep(seconds)
            cpu = (cpu_seconds(process) - began) / seconds * 100
            memory = process.memory_info().rss / 1000
            calls = server.log.total - calls
        await until(lambda: not server.streams.matching())
    return cpu, memory, calls


async def main() -> None:
    accounts = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    seconds = float(sys.argv[2]) if len(sys.argv) > 2 else 300.0  # each account polls once
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    users = (User(name=USER, tokens=(TOKEN,)),)
    async with serving(ReferenceSettings(users=users)) as server:
        for mode, what in (("auto", "streaming, silent"), ("poll", "polling every 5 m")):
            _, one, _ = await measure(server, mode, 1, 1)
            cpu, all_of_them, calls = await measure(server, mode, accounts, seconds)
            each = (all_of_them - one) / (accounts - 1)
            print(f"{accounts} accounts {what:18}  CPU {cpu:5.1f} % of a core (goal {GOAL_CPU})", end="   ")
            print(f"{each:5.1f} KB each (goal {GOAL_KB})   {all_of_them / 1000:4.0f} MB in all   {calls} calls")


if __name__ == "__main__":
    asyncio.run(main())
