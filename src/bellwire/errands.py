"""Work that follows from something sent, and may fail: it holds up nobody, is logged, and does not outlive its owner.

An owner's errands are done one after the other, in the order in which they were started.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

import structlog

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable
    from datetime import datetime

    from bellwire.ports import Clock

    Errand = Callable[[], Awaitable[float | None]]

_MOST = 5  # pauses in a row: each of them holds the other side's whole channel up

log = structlog.get_logger(__name__)


class Errands:
    """Errands of one owner: kept until what they follow from is certain, then started. ``name`` names the tasks.

    One that returns seconds was asked to leave the other side alone for so long: ``paused`` is told until when, and it is
    done again then, unless the other side has had enough of it.
    """

    def __init__(self, name: str, clock: Clock, paused: Callable[[datetime], Awaitable[None]]) -> None:
        self._name = name
        self._clock = clock
        self._paused = paused
        self._paused_until = clock.now()
        self._pauses = 0  # in a row
        self._turn = asyncio.Lock()
        self._kept: dict[str, Errand] = {}
        self._under_way: set[asyncio.Task[None]] = set()
        self._ended = False

    def keep(self, key: str, errand: Errand | None) -> None:
        """Keep an errand, if there is one, until it is started. A later one of the same key takes its place."""
        if errand is not None:
            self._kept[key] = errand

    def pause(self, until: datetime) -> None:
        """Begin nothing before then: the other side asked for it."""
        self._paused_until = max(self._paused_until, until)

    def start(self, keys: Iterable[str]) -> None:
        """Start what is kept under these keys, unless it has ended."""
        if not self._kept or self._ended:
            return
        for key in keys:
            if (errand := self._kept.pop(key, None)) is not None:
                task = asyncio.create_task(self._run(errand), name=self._name)
                self._under_way.add(task)
                task.add_done_callback(self._under_way.discard)

    async def end(self) -> None:
        """Break off what is under way, and start nothing more."""
        self._ended = True
        tasks = list(self._under_way)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _run(self, errand: Errand) -> None:
        try:
            async with self._turn:
                await self._do(errand)
        except Exception:
            log.exception("errand_failed", errand=self._name)

    async def _do(self, errand: Errand) -> None:
        while True:
            await self._until_free()
            if (seconds := await errand()) is None:
                self._pauses = 0
                return
            until = self._clock.now() + timedelta(seconds=seconds)
            self.pause(until)
            await self._paused(until)
            self._pauses += 1
            if self._pauses >= _MOST:
                log.warning("errand_dropped", errand=self._name)
                return

    async def _until_free(self) -> None:
        while (left := (self._paused_until - self._clock.now()).total_seconds()) > 0:
            await self._clock.sleep(left)
