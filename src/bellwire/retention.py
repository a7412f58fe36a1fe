"""Keeps the ledger from growing for ever: content goes once an alert has been settled for long enough."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from bellwire.errors import LedgerError

if TYPE_CHECKING:
    from datetime import timedelta

    from bellwire.ports import Clock, RetentionLedger

_PAUSE = 3600.0  # seconds between two rounds

log = structlog.get_logger(__name__)


class Retention:
    """Strips contents that are older than ``keep``."""

    def __init__(self, ledger: RetentionLedger, clock: Clock, keep: timedelta) -> None:
        self._ledger = ledger
        self._clock = clock
        self._keep = keep

    async def run(self) -> None:
        """Strip what is old every hour, until cancelled."""
        while True:
            try:
                await self._round()
            except LedgerError as error:
                log.error("retention_failed", error=str(error))
            await self._clock.sleep(_PAUSE)

    async def _round(self) -> None:
        await self._ledger.forget_passed(self._clock.now() - self._keep)
        stripped = 0
        while some := await self._ledger.strip_contents(self._clock.now() - self._keep):
            stripped += some
        if stripped:
            log.info("contents_stripped", alerts=stripped)
