"""The way of an alert through the real daemon: latency at a steady rate, a burst, start-up, memory.

The reference server and the webhook receiver share one core with this script, the daemon has the other. It prints
figures and judges nothing; machines differ, so read it beside another run on the same one.
"""

from __future__ import annotations

import asyncio
import json
import os
import statistics
import sys
import tempfile
import time
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from bellwire.demo.receivers.http import WebhookReceiver
from bellwire.reference.serve import ReferenceServer, serving
from bellwire.reference.settings import ReferenceSettings, User

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

API = "visual_layer"
CORES = sorted(os.sched_getaffinity(0))
ACCOUNTS = 10


def config(server: ReferenceServer, receiver: WebhookReceiver, folder: Path, accounts: int) -> dict[str, Any]:
    return {
        "storage": {"url": f"sqlite:///{folder}/ledger.db"},
        "web": {"listen": "127.0.0.1:0"},
        "accounts": [
            {
                "name": f"account{number}",
                "api": API,
                "base_url": server.base_url(API),
                "authorization": {"credentials": f"token-{number}"},
                "catch_up": {"first_start": "all"},
            }
            for number in range(accounts)
        ],
        "route": {"receiver": "pager"},
        "receivers": [{"name": "pager", "webhook_configs": [{"url": receiver.url}]}],
    }


@asynccontextmanager
async def daemon(settings: dict[str, Any], folder: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    path, log = folder / "bellwire.yaml", folder / "bellwire.log"
    path.write_text(json.dumps(settings))
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "bellwire", "run", "--config", str(path)), stderr=output
        )
    os.sched_setaffinity(process.pid, CORES[-1:])
    try:
        yield process
    finally:
        process.terminate()
        await process.wait()


async def started(folder: Path) -> None:
    """Wait until everything runs: the sources do so before the page is there."""
    while b'"started"' not in (folder / "bellwire.log").read_bytes():
        await asyncio.sleep(0.05)


def cpu_seconds(pid: int) -> float:
    times = psutil.Process(pid).cpu_times()
    return float(times.user + times.system)


def megabytes(pid: int) -> float:
    return float(psutil.Process(pid).memory_info().rss / 1e6)


async def steady(server: ReferenceServer, receiver: WebhookReceiver, rate: float, seconds: float) -> list[float]:
    """Emit one at a time; return milliseconds from being put on the stream to being at the webhook."""
    put: dict[str, float] = {}
    receiver.messages.clear()
    for _ in range(int(rate * seconds)):
        (item,) = server.emit(API, "user0", [{}])
        put[item] = time.time()
        await asyncio.sleep(1 / rate)
    await receiver.wait_for(len(put))
    arrived = {request.json["alerts"][0]["upstream_id"]: request.at.timestamp() for request in receiver.messages}
    return sorted((arrived[item] - moment) * 1000 for item, moment in put.items())


async def burst(
    server: ReferenceServer, receiver: WebhookReceiver, pid: int, number: int
) -> tuple[float, float, float]:
    """Emit all at once; return alerts/s at the webhook, marks/s behind them, and the daemon's CPU s per 1,000."""
    receiver.messages.clear()
    before, began = cpu_seconds(pid), time.perf_counter()
    for start in range(0, number, 500):
        server.emit(API, "user0", [{} for _ in range(min(500, number - start))])
        await asyncio.sleep(0)
    await receiver.wait_for(number, 300)
    delivered = time.perf_counter() - began
    while any(item.read_at is None for item in server.items(API, "user0")):
        await asyncio.sleep(0.05)
    marked = time.perf_counter() - began
    return number / delivered, number / marked, (cpu_seconds(pid) - before) / number * 1000


async def main() -> None:
    os.sched_setaffinity(0, CORES[:1])
    users = tuple(User(name=f"user{number}", tokens=(f"token-{number}",)) for number in range(ACCOUNTS))
    helps = []
    for _ in range(5):
        began = time.perf_counter()
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "bellwire", "--help"), stdout=asyncio.subprocess.DEVNULL
        )
        await process.wait()
        helps.append(time.perf_counter() - began)
    async with serving(ReferenceSettings(users=users)) as server, WebhookReceiver() as receiver:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            starts = []
            for _ in range(3):
                began = time.perf_counter()
                async with daemon(config(server, receiver, folder, ACCOUNTS), folder):
                    await server.streaming(API, "user0")
                    starts.append(time.perf_counter() - began)
                await server.streaming(API, "user0", 0)
            async with daemon(config(server, receiver, folder, ACCOUNTS), folder) as process:
                for user in users:
                    await server.streaming(API, user.name)
                await started(folder)
                idle = megabytes(process.pid)
                latencies = await steady(server, receiver, 50, 10)
                number = int(sys.argv[1]) if len(sys.argv) > 1 else 5000
                delivered, marked, cpu = await burst(server, receiver, process.pid, number)
                after = megabytes(process.pid)
    percentile = statistics.quantiles(latencies, n=100)
    print(f"bellwire --help                       {statistics.median(helps):8.2f} s      (median of 5)")
    print(
        f"start to streaming                    {statistics.median(starts):8.2f} s      (median of 3, {ACCOUNTS} accounts)"
    )
    print(f"resident, {ACCOUNTS} accounts, idle          {idle:8.0f} MB")
    print(f"stream to webhook at 50/s, median     {percentile[49]:8.1f} ms")
    print(f"stream to webhook at 50/s, p99        {percentile[98]:8.1f} ms")
    print(f"burst of {number}, delivered            {delivered:8.0f} alerts/s")
    print(f"burst of {number}, marked one by one    {marked:8.0f} alerts/s")
    print(f"CPU of the daemon                     {cpu:8.2f} s per 1,000 alerts")
    print(f"resident after the burst              {after:8.0f} MB")


if __name__ == "__main__":
    asyncio.run(main())
