"""Bellwire beside its peers: the same alerts, the same receiver, the same machine, in turns. See benchmarks/README.md.

Sizes come from the environment: ``ROUNDS`` (5), ``BURST`` (20000), ``SECONDS`` of each steady rate (10), ``SYSTEMS``
(a comma between parts of names: ``SYSTEMS=stream,Alert``). ``QUICK=1`` is a round of 2,000 and 2 s, to see whether it works.
"""

from __future__ import annotations

import asyncio
import gc
import os
import tempfile
import time
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import _machine
import uvloop
from _bellwire import Bellwire
from _figures import median, percentile, shown, table
from _peers import Alertmanager, Mqttwarn
from _receiver import receiving

if TYPE_CHECKING:
    from collections.abc import Sequence

    from _receiver import Receiver

    System = Bellwire | Alertmanager | Mqttwarn

QUICK = bool(os.environ.get("QUICK"))
ROUNDS = int(os.environ.get("ROUNDS", "1" if QUICK else "5"))
BURST = int(os.environ.get("BURST", "2000" if QUICK else "20000"))
SECONDS = float(os.environ.get("SECONDS", "2" if QUICK else "10"))
WANTED = os.environ.get("SYSTEMS", "").split(",")
RATES = (100, 1000)
PATIENCE = 240.0  # seconds: what has not come by then is lost
IN_DANGER = 500  # alerts of the test with a kill


@dataclass(frozen=True, kw_only=True, slots=True)
class Burst:
    """Rates in alerts/s, CPU in seconds per 1,000 alerts and as a share of our core, memory in MB."""

    delivered: float
    marked: float | None
    cpu: float
    our_share: float
    idle: float
    peak: float
    after: float
    lost: int


async def main() -> None:
    _machine.stay_on_our_core()
    systems: list[System] = [
        Bellwire("visual_layer", "Bellwire, stream in, marks one by one"),
        Bellwire("elan", "Bellwire, pages in, marks in bulk"),
        Alertmanager(),
        Mqttwarn(),
    ]
    systems = [system for system in systems if any(word in system.name for word in WANTED)]
    able = [system for system in systems if not system.missing]
    bursts: dict[str, list[Burst]] = defaultdict(list)
    delays: dict[tuple[str, int], list[list[float]]] = defaultdict(list)
    kept: dict[str, int] = {}
    async with receiving() as receiver:
        for number in range(ROUNDS):
            for system in able:
                print(f"round {number + 1} of {ROUNDS}: {system.name}", flush=True)
                await one_round(system, receiver, bursts, delays)
        for system in able:
            kept[system.name] = await survivors(system, receiver)
    show(systems, bursts, delays, kept)


async def one_round(
    system: System,
    receiver: Receiver,
    bursts: dict[str, list[Burst]],
    delays: dict[tuple[str, int], list[list[float]]],
) -> None:
    """Start the system anew, let it warm up, then a slow rate, a quick one and a burst."""
    gc.collect()
    with tempfile.TemporaryDirectory() as name:
        async with system.surroundings(Path(name)), system.running(Path(name), receiver) as process:
            await asyncio.sleep(4)  # until all is imported that is imported late
            idle = _machine.megabytes(process.pid)
            await steady(system, receiver, 50, 1.0)
            for rate in RATES:
                delays[system.name, rate].append(await steady(system, receiver, rate, SECONDS))
            bursts[system.name].append(await burst(system, receiver, process.pid, idle))


_numbers = 0


def fresh(number: int) -> range:
    """Return numbers that no alert had."""
    global _numbers  # noqa: PLW0603 - of all alerts of this run, whatever the system
    _numbers += number
    return range(_numbers - number, _numbers)


async def steady(system: System, receiver: Receiver, rate: int, seconds: float) -> list[float]:
    """Put one alert after the other; return the milliseconds that each took to the receiver, sorted."""
    receiver.clear()
    system.clear()
    numbers = fresh(int(rate * seconds))
    began = time.perf_counter()
    for place, number in enumerate(numbers):
        if (ahead := began + place / rate - time.perf_counter()) > 0:
            await asyncio.sleep(ahead)
        await system.put([number])
    await receiver.wait_for(len(numbers), PATIENCE)
    await system.all_marked(PATIENCE)
    return sorted((receiver.arrived[each] - system.left[each]) * 1000 for each in numbers if each in receiver.arrived)


async def burst(system: System, receiver: Receiver, pid: int, idle: float) -> Burst:
    """Put all at once. It begins when the first alert leaves the vendor."""
    receiver.clear()
    system.clear()
    numbers = fresh(BURST)
    before, ours, entered = _machine.cpu_seconds(pid), time.process_time(), time.perf_counter()
    async with _machine.Peak(pid) as peak:
        await system.put(numbers)
        await receiver.wait_for(BURST, PATIENCE)
        marked = await system.all_marked(PATIENCE)
        our_share = (time.process_time() - ours) / (time.perf_counter() - entered)
        cpu = _machine.cpu_seconds(pid) - before
    began = min(system.left.values())
    arrived = len(receiver.arrived)
    delivered = arrived / (max(receiver.arrived.values()) - began)
    marking = None if system.marked_at is None or not marked else BURST / (system.marked_at - began)
    await asyncio.sleep(3)
    return Burst(
        delivered=delivered,
        marked=marking,
        cpu=cpu / BURST * 1000,
        our_share=our_share,
        idle=idle,
        peak=peak.megabytes,
        after=_machine.megabytes(pid),
        lost=BURST - arrived,
    )


async def survivors(system: System, receiver: Receiver) -> int:
    """Return how many of some alerts arrive though the receiver was down and the system was killed meanwhile."""
    receiver.clear()
    system.clear()
    with tempfile.TemporaryDirectory() as name:
        async with system.surroundings(Path(name)):
            async with system.running(Path(name), receiver) as process:
                receiver.refusing = True
                await system.put(fresh(IN_DANGER))
                await asyncio.sleep(7)
                await _machine.kill(process)
            receiver.refusing = False
            async with system.running(Path(name), receiver):
                await receiver.wait_for(IN_DANGER, 20)
    return len(receiver.arrived)


def show(
    systems: Sequence[System],
    bursts: dict[str, list[Burst]],
    delays: dict[tuple[str, int], list[list[float]]],
    kept: dict[str, int],
) -> None:
    heads = ("", "delivered/s", "marked/s", "CPU s/1,000", *(f"ms at {rate}/s: p50 p99 max" for rate in RATES))
    heads += ("MB idle", "burst", "after", "lost", "our CPU", f"of {IN_DANGER} after a kill")
    rows = []
    for system in systems:
        if system.missing:
            rows.append((f"{system.name}: missing ({system.missing})", *("-" for _ in heads[1:])))
            continue
        each = bursts[system.name]
        rows.append(
            (
                system.name,
                shown(median(one.delivered for one in each)),
                shown(median(one.marked for one in each)),
                shown(median(one.cpu for one in each), 2),
                *(_latencies(delays[system.name, rate]) for rate in RATES),
                shown(median(one.idle for one in each)),
                shown(median(one.peak for one in each)),
                shown(median(one.after for one in each)),
                str(max(one.lost for one in each)),
                f"{median(one.our_share for one in each) or 0:.0%}",
                str(kept[system.name]),
            )
        )
    print(f"\nburst of {BURST}, {SECONDS:.0f} s at each rate; medians of {ROUNDS}")
    print(f"one fdatasync: {_machine.fdatasync_milliseconds():.2f} ms\n")
    print(table(heads, rows))
    print("\ndurable")
    for system in systems:
        print(f"  {system.name}: {system.kept}")


def _latencies(rounds: Sequence[Sequence[float]]) -> str:
    return " ".join(shown(median(percentile(one, share) for one in rounds), 1) for share in (0.5, 0.99, 1.0))


if __name__ == "__main__":
    uvloop.run(main())
