"""How many items a second the reference server brings from its control API through one stream.

One process serves; this one posts batches and drains the stream, so the printed CPU is each process' own.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import tempfile
import time
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import aiohttp

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

COMMAND = [sys.executable, "-c", "from bellwire.cli.reference import reference; reference()"]
TICKS = os.sysconf("SC_CLK_TCK")


@asynccontextmanager
async def server(store: str) -> AsyncIterator[tuple[str, int]]:
    """Run the command on a free port; gives its URL and process id."""
    arguments = [*COMMAND, "--listen", "127.0.0.1:0", "--no-auth", "--store", store]
    process = await asyncio.create_subprocess_exec(*arguments, stdout=asyncio.subprocess.PIPE)
    try:
        assert process.stdout is not None
        line = (await process.stdout.readline()).decode()
        yield line.removeprefix("reference server on ").strip(), process.pid
    finally:
        process.terminate()
        await process.wait()


def cpu_seconds(pid: int) -> float:
    """Return the CPU time that a process has used, from the kernel's own count."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


async def drain(stream: aiohttp.ClientResponse, count: int) -> int:
    """Read until so many items came; returns the bytes."""
    items = size = 0
    tail = b""
    while items < count:
        chunk = await stream.content.readany()
        size += len(chunk)
        items += (tail + chunk).count(b"}\n\n")
        tail = (tail + chunk)[-2:]
    return size


async def measure(store: str, items: int, batch: int) -> dict[str, float]:
    """Emit and drain so many items."""
    async with (
        server(store) as (url, pid),
        aiohttp.ClientSession() as session,
        session.get(f"{url}/visual_layer/api/v1/notifications/stream") as stream,
    ):
        body = json.dumps({"count": batch}).encode()
        cpu, own, began = cpu_seconds(pid), time.process_time(), time.perf_counter()
        drained = asyncio.create_task(drain(stream, items))
        for _ in range(items // batch):
            async with session.post(f"{url}/control/visual_layer/default/items", data=body) as response:
                response.raise_for_status()
        emitted = time.perf_counter() - began
        size = await asyncio.wait_for(drained, 120)
        took = time.perf_counter() - began
        return {
            "emitted/s": items / emitted,
            "through the stream/s": items / took,
            "bytes/item": size / items,
            "server CPU s/1,000": (cpu_seconds(pid) - cpu) * 1000 / items,
            "client CPU s/1,000": (time.process_time() - own) * 1000 / items,
        }


def main() -> None:
    """Print one line for each store and batch size."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, default=20_000)
    items = parser.parse_args().items
    with tempfile.TemporaryDirectory() as folder:
        for store, name in (("memory", "memory"), (f"sqlite:///{folder}/items.db", "file")):
            for batch in (10, 100, 1000):
                figures = asyncio.run(measure(store, items, batch))
                shown = "  ".join(
                    f"{what} {value:,.3g}" if value < 10 else f"{what} {value:,.0f}" for what, value in figures.items()
                )
                print(f"{name:6}  batches of {batch:4}  {shown}")


if __name__ == "__main__":
    main()
