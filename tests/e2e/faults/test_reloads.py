"""Reloads that overtake each other, while a send that began before them hangs."""

from __future__ import annotations

import asyncio
import signal
from typing import TYPE_CHECKING, Any

from bellwire.demo.receivers.http import Reply
from fault_scene import STEADY, TROUBLED, playing

if TYPE_CHECKING:
    from pathlib import Path

    from fault_scene import Scene


async def reload(scene: Scene, **changes: Any) -> None:
    """Change the configuration, and wait until it is in force."""
    scene.daemon.config |= changes
    scene.daemon.write()
    before = reloads(scene)
    scene.daemon.signal(signal.SIGHUP)
    await scene.daemon.logged.wait_until(lambda _: reloads(scene) > before)


def reloads(scene: Scene) -> int:
    return sum(line.get("event") == "reloaded" for line in scene.daemon.logged.messages)


def numbered(scene: Scene, number: int) -> list[dict[str, Any]]:
    """Return the receivers with another header for the troubled one."""
    steady, troubled = scene.daemon.config["receivers"]
    (webhook,) = troubled["webhook_configs"]
    return [
        steady,
        troubled | {"webhook_configs": [webhook | {"headers": {"X-Number": str(number)}, "timeout": "20s"}]},
    ]


async def test_two_reloads_of_a_channel_whose_send_hangs_lose_and_repeat_nothing(tmp_path: Path) -> None:
    go_on = asyncio.Event()
    async with playing(tmp_path, grouped=False) as scene:
        await reload(scene, receivers=numbered(scene, 0))
        scene.troubled.answer(Reply(until=go_on))
        scene.oracle.emit(2)
        await scene.troubled.wait_for(1)
        await reload(scene, receivers=numbered(scene, 1))
        scene.oracle.emit(10)
        await reload(scene, receivers=numbered(scene, 2))
        scene.oracle.emit(10)
        await scene.steady_has_all()
        assert len(scene.troubled.messages) == 1  # whoever served it before has not ended
        go_on.set()
        await scene.oracle.settled(scene.daemon)
        numbers = [request.headers["X-Number"] for request in scene.troubled.messages]
        assert numbers == ["0"] + ["2"] * (len(numbers) - 1)


async def test_a_channel_that_goes_and_comes_back_while_its_send_hangs_keeps_what_waits(tmp_path: Path) -> None:
    go_on = asyncio.Event()
    async with playing(tmp_path, grouped=False) as scene:
        await reload(scene, receivers=numbered(scene, 0))
        both, route = scene.daemon.config["receivers"], scene.daemon.config["route"]
        scene.troubled.otherwise = Reply(status=503, headers={"Retry-After": "2"})
        scene.troubled.answer(Reply(until=go_on))
        scene.oracle.emit(11)
        await scene.troubled.wait_for(2)
        alone = {"receiver": STEADY, "routes": [each for each in route["routes"] if each["receiver"] != TROUBLED]}
        await reload(scene, receivers=both[:1], route=alone)
        await reload(scene, receivers=both, route=route)
        scene.troubled.otherwise = Reply()
        scene.oracle.emit(10)
        go_on.set()
        await scene.oracle.settled(scene.daemon)
        assert not [line for line in scene.daemon.logged.messages if line.get("reason") == "channel_removed"]
