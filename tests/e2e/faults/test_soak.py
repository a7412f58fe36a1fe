"""A long random mix of everything that may go wrong. ``MINUTES`` is how long, ``SEED`` repeats a run."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import resource
import signal
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from bad_line import Spoilt
from bellwire.demo.receivers.http import Reply
from bellwire.reference.faults import (
    DropStreams,
    HalfEvent,
    RefuseStreams,
    ReorderItems,
    RepeatItems,
    ResetConnections,
    ServerErrors,
    SlowBodies,
    StallStreams,
    Unauthorized,
)
from fault_scene import TIMEOUT, TROUBLED, Scene, flowing, passed, staged

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

MINUTES = float(os.environ.get("MINUTES") or ("2" if os.environ.get("CI") == "true" else "0.3"))
SEED = int(os.environ.get("SEED") or random.randrange(1 << 32))
STATUSES = (301, 401, 404, 408, 429, 500, 503)
SOURCES = (
    DropStreams(after_items=5),
    HalfEvent(after_items=3),
    StallStreams(after_items=3),
    RefuseStreams(),
    RepeatItems(),
    ReorderItems(),
    ResetConnections(after_bytes=200, chance=0.3),
    ServerErrors(chance=0.5),
    SlowBodies(),
    Unauthorized(),
)


class Soak:
    """Things that go wrong, each for a moment; chance says which, and for how long."""

    def __init__(self, scene: Scene, chance: random.Random) -> None:
        self._scene = scene
        self._chance = chance
        self.counts: dict[str, int] = {}
        self._ways: dict[str, Callable[[], Awaitable[None]]] = {
            "kill": self.kill,
            "freeze": self.freeze,
            "line": self.line,
            "status": self.status,
            "source": self.source,
            "disk": self.disk,
            "reload": self.reload,
            "rest": self.rest,
        }

    async def go_wrong(self) -> None:
        """Let one thing go wrong, or several one in another."""
        name = self._chance.choice(list(self._ways))
        print(f"{datetime.now(UTC):%H:%M:%S.%f} {name}")  # noqa: T201 - what happened before it failed
        self.counts[name] = self.counts.get(name, 0) + 1
        await self._ways[name]()

    async def kill(self) -> None:
        await self._scene.kill()
        await self._scene.daemon.start()

    async def freeze(self) -> None:
        await self._scene.frozen(self._chance.uniform(0, 2 * TIMEOUT))

    async def line(self) -> None:
        async with self._scene.spoilt(self._chance.choice(list(Spoilt))):
            await self._meanwhile()

    async def status(self) -> None:
        headers = self._chance.choice([{}, {"Retry-After": "1"}])
        self._scene.troubled.otherwise = Reply(status=self._chance.choice(STATUSES), headers=headers)
        await self._meanwhile()
        self._scene.troubled.otherwise = Reply()

    async def source(self) -> None:
        fault = self._chance.choice(SOURCES).model_copy(update={"seed": self._chance.randrange(1000)})
        with self._scene.oracle.cut(TROUBLED):
            self._scene.server.context.faults.add(fault)
            self._scene.server.streams.close()
            await self._meanwhile()
            self._scene.server.context.faults.remove()

    async def disk(self) -> None:
        with self._scene.oracle.cut():  # an answer that was heard cannot be written
            async with self._full_disk():
                await passed(self._chance.uniform(0, TIMEOUT))

    @contextlib.asynccontextmanager
    async def _full_disk(self) -> AsyncIterator[None]:
        await self._scene.daemon.started()  # one that cannot even open its ledger refuses to start
        pid = self._scene.daemon.pid
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (8192, resource.RLIM_INFINITY))
        yield
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))

    async def reload(self) -> None:
        for receiver in self._scene.daemon.config["receivers"]:
            receiver["webhook_configs"][0]["headers"] = {"X-Number": str(self._chance.randrange(3))}
        self._scene.daemon.write()
        await self._scene.daemon.started()  # before it handles signals, this one would end it
        self._scene.daemon.signal(signal.SIGHUP)
        await self.rest()

    async def rest(self) -> None:
        await passed(self._chance.uniform(0, 2.0))

    async def _meanwhile(self) -> None:
        """Let it last; half of the time something else goes wrong within it."""
        within = self._chance.choice([self.kill, self.freeze, self.disk, self.reload, self.rest, self.rest])
        await self.rest()
        await within()


@pytest.mark.timeout(MINUTES * 60 + 300)
async def test_a_random_mix_of_faults_loses_nothing(tmp_path: Path) -> None:
    print(f"MINUTES={MINUTES:g} SEED={SEED}")  # noqa: T201 - to run it again
    async with staged(tmp_path) as scene:
        await scene.daemon.start()
        await scene.daemon.streaming()
        soak, end = Soak(scene, random.Random(SEED)), asyncio.get_running_loop().time() + MINUTES * 60
        async with flowing(scene.oracle, 50):
            while asyncio.get_running_loop().time() < end:
                await soak.go_wrong()
        await scene.oracle.settled(scene.daemon, 120)
        print(f"{len(scene.oracle.wanted)} alerts, {soak.counts}")  # noqa: T201 - what it was
        assert b"Traceback" not in scene.daemon.output
