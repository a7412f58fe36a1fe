"""Sources that fail in every way that the reference server knows, while a receiver fails too."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from bad_line import Spoilt
from bellwire.reference.faults import (
    DropStreams,
    HalfEvent,
    RateLimit,
    RefuseStreams,
    ReorderItems,
    RepeatItems,
    ResetConnections,
    ServerErrors,
    SlowBodies,
    StallStreams,
    Unauthorized,
    WrongContentType,
)
from fault_scene import playing

if TYPE_CHECKING:
    from pathlib import Path

    from bellwire.reference.faults import AnyFault

FAULTS: tuple[AnyFault, ...] = (
    DropStreams(after_items=3, lasts=2),
    HalfEvent(after_items=2, lasts=2),
    StallStreams(after_items=2, lasts=2),
    RefuseStreams(lasts=2),
    RepeatItems(lasts=2),
    ReorderItems(lasts=2),
    ResetConnections(after_bytes=100, chance=0.5, lasts=2),
    ServerErrors(chance=0.5, lasts=2),
    SlowBodies(lasts=2),
    RateLimit(retry_after=1, times=3, lasts=2),
    Unauthorized(times=2, lasts=2),
    WrongContentType(lasts=2),
)


async def test_sources_and_receivers_that_fail_together_lose_nothing(tmp_path: Path) -> None:
    ways = list(Spoilt)
    random.Random(7).shuffle(ways)
    async with playing(tmp_path) as scene:
        for number, fault in enumerate(FAULTS):
            standing = scene.server.context.faults.add(fault)
            scene.server.streams.close()
            with scene.oracle.cut():  # a mark whose answer is lost is made again
                async with scene.spoilt(ways[number % len(ways)]):
                    scene.oracle.emit(10)
                    await scene.steady_has_all()
            scene.server.context.faults.remove()
            assert standing.fault == fault
        scene.oracle.emit(10)
        await scene.oracle.settled(scene.daemon)
