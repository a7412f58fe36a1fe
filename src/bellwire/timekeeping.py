"""Keeps what waits for a moment of the wall's clock on time: when the wall steps, and when windows change."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import structlog

from bellwire.errors import LedgerError

if TYPE_CHECKING:
    import asyncio

    from bellwire.ports import Clock, TimedLedger

_PAUSE = 2.0  # seconds between two looks at the clocks
_TOLERATED = timedelta(seconds=0.5)  # between the two clocks: they drift a little, always

log = structlog.get_logger(__name__)


class Timekeeping:
    """Watches the wall's clock against ours."""

    def __init__(self, ledger: TimedLedger, clock: Clock) -> None:
        self._ledger = ledger
        self._clock = clock
        self._changed: asyncio.Event = ledger.timetable_changed

    async def run(self) -> None:
        """Time anew what waits, at the start and after every change, until cancelled."""
        known: timedelta | None = None
        while True:
            offset = self._clock.wall() - self._clock.now()
            if self._changed.is_set() or known is None or abs(offset - known) > _TOLERATED:
                self._changed.clear()
                if known is not None and abs(offset - known) > _TOLERATED:
                    log.warning("wall_clock_stepped", seconds=round((offset - known).total_seconds(), 3))
                known = offset
                try:
                    await self._ledger.retime()
                except LedgerError as error:
                    known = None
                    log.error("retiming_failed", error=str(error))
            await self._clock.wait(self._changed, _PAUSE)
