"""Looks for what has not got through for too long, and has its stand-ins asked: also while a channel is broken or paused."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import structlog

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bellwire.ports import Clock, StandbyLedger
    from bellwire.records import ChannelPolicy

_PAUSES_AFTER_ERROR = (1.0, 2.0, 5.0, 15.0, 60.0)  # seconds, the last one again and again

log = structlog.get_logger(__name__)


class Standby:
    """Watches every channel that has stand-ins. Nobody need wake it: what comes now is late no sooner than it looks."""

    def __init__(self, ledger: StandbyLedger, clock: Clock) -> None:
        self._ledger = ledger
        self._clock = clock
        self._policies: tuple[ChannelPolicy, ...] = ()
        self._changed = asyncio.Event()

    def change(self, policies: Iterable[ChannelPolicy]) -> None:
        """Watch these channels from now on."""
        self._policies = tuple(policy for policy in policies if policy.fallbacks)
        self._changed.set()

    async def run(self) -> None:
        """Watch until cancelled."""
        pauses = iter(_PAUSES_AFTER_ERROR)
        while True:
            try:
                await self._turn()
            except Exception:
                # Whatever it is, it must end neither this watch nor the daemon.
                log.exception("standby_failed")
                await self._clock.sleep(next(pauses, _PAUSES_AFTER_ERROR[-1]))
            else:
                pauses = iter(_PAUSES_AFTER_ERROR)

    async def _turn(self) -> None:
        self._changed.clear()
        if not self._policies:
            await self._clock.wait(self._changed, None)
            return
        fell_back = await self._ledger.fall_back(self._policies)
        if fell_back.deliveries:
            log.warning("deliveries_fell_back", deliveries=fell_back.deliveries)
        seconds = (fell_back.next_due - self._clock.now()).total_seconds()
        if seconds > 0:
            await self._clock.wait(self._changed, seconds)
