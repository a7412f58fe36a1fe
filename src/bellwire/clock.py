"""The machine's time, in two readings: one that never steps, and the wall's."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


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
