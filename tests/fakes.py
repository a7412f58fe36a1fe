"""Stand-ins for ports, each held to the same contract as the real thing."""

from __future__ import annotations

import asyncio
import heapq
import itertools
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class FakeClock:
    """A clock that stands until a test turns it: `advance` wakes what became due, in order."""

    def __init__(self, start: datetime = datetime(2026, 11, 22, 10, tzinfo=UTC)) -> None:
        self._now = start
        self._wall_offset = timedelta()
        self._sleepers: list[tuple[datetime, int, asyncio.Future[None]]] = []
        self._order = itertools.count()

    def now(self) -> datetime:
        return self._now

    def wall(self) -> datetime:
        return self._now + self._wall_offset

    def step_wall(self, seconds: float) -> None:
        self._wall_offset += timedelta(seconds=seconds)

    async def sleep(self, seconds: float) -> None:
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self._now + timedelta(seconds=seconds), next(self._order), future))
        await future

    def alarm(self, seconds: float, callback: Callable[[], None]) -> asyncio.Future[None]:
        def ring(future: asyncio.Future[None]) -> None:
            if not future.cancelled():
                callback()

        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        future.add_done_callback(ring)
        heapq.heappush(self._sleepers, (self._now + timedelta(seconds=max(0.0, seconds)), next(self._order), future))
        return future

    async def wait(self, event: asyncio.Event, seconds: float | None) -> bool:
        if event.is_set():
            return True
        waiter = asyncio.ensure_future(event.wait())
        sleeper = asyncio.ensure_future(self.sleep(seconds)) if seconds is not None else None
        tasks = {waiter} | ({sleeper} if sleeper else set())
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
        return event.is_set()

    @property
    def sleeping(self) -> list[float]:
        """How many seconds each sleeper still has to wait, the next one first."""
        return [(due - self._now).total_seconds() for due, _, future in sorted(self._sleepers) if not future.done()]

    async def advance(self, seconds: float) -> None:
        """Turn the clock, letting everything that becomes due run before time goes on."""
        end = self._now + timedelta(seconds=seconds)
        await settle()
        while self._sleepers and self._sleepers[0][0] <= end:
            due, _, future = heapq.heappop(self._sleepers)
            self._now = max(self._now, due)
            if not future.done():
                future.set_result(None)
                await settle()
        self._now = end
        await settle()


async def settle(turns: int = 50) -> None:
    """Let everything that is ready run."""
    for _ in range(turns):
        await asyncio.sleep(0)
