"""The machine's time, in two readings: one that never steps, and the wall's."""

from __future__ import annotations

import asyncio
import heapq
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_RESOLUTION = 0.001  # seconds that an alarm may come early: the loop's own
_FEW = 100


class Alarm:
    """Something that will be called, unless it is cancelled before. They are told apart by ``due`` alone."""

    __slots__ = ("_alarms", "callback", "due")

    def __init__(self, due: float, callback: Callable[[], None], alarms: Alarms) -> None:
        self.due = due
        self.callback: Callable[[], None] | None = callback
        self._alarms = alarms

    def __lt__(self, other: Alarm) -> bool:
        return self.due < other.due

    def cancel(self) -> None:
        """Do not call it after all."""
        if self.callback is not None:
            self.callback = None
            self._alarms.forget_one()


class Alarms:
    """Many alarms behind one timer of the event loop: a timer each takes four times as much."""

    def __init__(self) -> None:
        self._heap: list[Alarm] = []
        self._cancelled = 0
        self._timer: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._heap)

    def add(self, seconds: float, callback: Callable[[], None]) -> Alarm:
        """Have ``callback`` called after so many seconds."""
        loop = asyncio.get_running_loop()
        alarm = Alarm(loop.time() + max(0.0, seconds), callback, self)
        heapq.heappush(self._heap, alarm)
        if self._heap[0] is alarm:
            self._set(loop)
        return alarm

    def forget_one(self) -> None:
        """Take note that one was cancelled; when these are most of them, make room."""
        self._cancelled += 1
        if self._cancelled > _FEW and self._cancelled * 2 > len(self._heap):
            self._heap = [alarm for alarm in self._heap if alarm.callback is not None]
            heapq.heapify(self._heap)
            self._cancelled = 0

    def _set(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = loop.call_at(self._heap[0].due, self._ring) if self._heap else None

    def _ring(self) -> None:
        loop = asyncio.get_running_loop()
        self._timer = None
        now = loop.time() + _RESOLUTION
        due = []
        while self._heap and self._heap[0].due <= now:
            due.append(heapq.heappop(self._heap))
        self._set(loop)
        for alarm in due:
            if alarm.callback is None:
                self._cancelled -= 1
                continue
            callback, alarm.callback = alarm.callback, None
            loop.call_soon(callback)  # what it raises is its own


class SystemClock:
    """`bellwire.ports.Clock` over the machine's clocks.

    ``now()`` starts at the wall's time, or at ``not_before`` if the wall stands before it (a clock set back while nothing
    ran), and then advances with the monotonic clock: a step of the wall neither fires nor delays what is waited for.
    """

    def __init__(
        self,
        *,
        not_before: datetime | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._alarms = Alarms()
        self._monotonic = monotonic
        self._origin = monotonic()
        wall = self.wall()
        self._anchor = max(wall, not_before) if not_before else wall

    def now(self) -> datetime:
        """Return the steady time in UTC."""
        return self._anchor + timedelta(seconds=self._monotonic() - self._origin)

    def wall(self) -> datetime:
        """Return the wall's time in UTC."""
        return datetime.now(UTC)

    async def sleep(self, seconds: float) -> None:
        """Wait for so many seconds."""
        await asyncio.sleep(max(0.0, seconds))

    def alarm(self, seconds: float, callback: Callable[[], None]) -> Alarm:
        """Have ``callback`` called after so many seconds, in the event loop that runs now."""
        return self._alarms.add(seconds, callback)

    async def wait(self, event: asyncio.Event, seconds: float | None) -> bool:
        """Wait until ``event`` is set, at most so many seconds; return whether it is."""
        if event.is_set():
            return True
        try:
            async with asyncio.timeout(seconds):
                await event.wait()
        except TimeoutError:
            return event.is_set()
        return True
