"""A daemon that is killed, frozen, and whose clock is wrong."""

from __future__ import annotations

import os
import random
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from bad_line import Spoilt
from fault_scene import TIMEOUT, flowing, passed, playing, staged
from harness import TrueDaemon

if TYPE_CHECKING:
    from collections.abc import Callable

KILLS = int(os.environ.get("KILLS", "40"))
SEED = int(os.environ.get("SEED") or random.randrange(1 << 32))
LONGEST_LIFE = 0.8  # seconds


@pytest.mark.timeout(300)
async def test_kills_at_random_moments_lose_nothing(tmp_path: Path) -> None:
    print(f"SEED={SEED}")  # noqa: T201 - pytest shows it with a failure
    chance = random.Random(SEED)
    async with staged(tmp_path) as scene:
        await scene.daemon.start()
        await scene.daemon.streaming()
        # A busy machine takes longer over each start: what has come by the end must not grow with that.
        async with flowing(scene.oracle, 200, most=KILLS * 150):
            for _ in range(KILLS):
                await passed(chance.uniform(0, LONGEST_LIFE))
                await scene.kill()
                await scene.daemon.start()
        await scene.oracle.settled(scene.daemon, 90)
        assert b"Traceback" not in scene.daemon.output


async def test_a_process_that_was_frozen_for_longer_than_every_time_out_goes_on(tmp_path: Path) -> None:
    async with playing(tmp_path) as scene:
        async with flowing(scene.oracle, 100):
            await scene.troubled.wait_for(10)
            await scene.frozen(3 * TIMEOUT)
            async with scene.spoilt(Spoilt.MUTE):
                await scene.told(event="delivery_failed")
                await scene.frozen(3 * TIMEOUT)
        await scene.oracle.settled(scene.daemon)


@pytest.mark.parametrize("hours", [1, -1])
async def test_a_clock_that_jumps_an_hour_neither_hastens_nor_delays_anything(
    hours: int, tmp_path: Path, program: Callable[[str], str]
) -> None:
    async with staged(tmp_path, daemon=TrueDaemon, environ=with_clock(tmp_path, program("faketime"))) as scene:
        set_clock(tmp_path, 0)
        await scene.daemon.start()
        await scene.daemon.streaming()
        scene.oracle.emit(20)
        async with scene.spoilt(Spoilt.REFUSED):
            scene.oracle.emit(20)
            await scene.told(event="delivery_failed")
            set_clock(tmp_path, hours)
            await scene.told(event="wall_clock_stepped")
            scene.oracle.emit(20)
        await scene.oracle.settled(scene.daemon, 10)
        await scene.kill()
        set_clock(tmp_path, 0)  # and back again, while nothing runs
        await scene.daemon.start()
        await scene.daemon.streaming()
        scene.oracle.emit(20)
        await scene.oracle.settled(scene.daemon, 10)


def with_clock(folder: Path, faketime: str) -> dict[str, str]:
    """Return the environment of a process whose wall clock is as the file ``clock`` says; the monotonic one stays."""
    (library,) = Path(faketime).parent.parent.glob("lib*/*/faketime/libfaketime.so.1")
    return {
        "LD_PRELOAD": str(library),
        "FAKETIME_TIMESTAMP_FILE": str(folder / "clock"),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DISABLE_SHM": "1",
        "FAKETIME_FORCE_MONOTONIC_FIX": "0",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }


def set_clock(folder: Path, hours: int) -> None:
    (folder / "clock.new").write_text(f"{hours:+d}h")
    (folder / "clock.new").rename(folder / "clock")
