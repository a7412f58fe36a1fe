"""The gauges that are read from the ledger when somebody asks for the metrics."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import structlog

from bellwire.model import DeliveryState

if TYPE_CHECKING:
    from collections.abc import Callable

    from bellwire.metrics import Metrics
    from bellwire.web.view import View

AUDIT_PAUSE = 60.0  # seconds, from the end of one to the start of the next
_AUDIT_SHARE = 20  # a slow audit pauses so many times its own length
_FIRST_PATIENCE = 1.0  # seconds that the first scrape waits for the first audit
_UNKNOWN = float("nan")

log = structlog.get_logger(__name__)


class Gauges:
    """Refreshes ``deliveries`` at each call and ``unaccounted_alerts`` at most once a minute, beside the caller."""

    def __init__(self, view: View, metrics: Metrics, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._view = view
        self._metrics = metrics
        self._monotonic = monotonic
        self._next_audit = monotonic()
        self._audit: asyncio.Task[None] | None = None
        # An alarm on "> 0" stays still and one on "absent" too, until the first audit has spoken.
        metrics.unaccounted_alerts.set(_UNKNOWN)

    async def refresh(self) -> None:
        """Bring the gauges up to date."""
        totals = await self._view.totals()
        for state in DeliveryState:
            self._metrics.deliveries.labels(state=state.value).set(totals.get(f"deliveries.{state}", 0))
        first = self._audit is None
        if (self._audit is None or self._audit.done()) and self._monotonic() >= self._next_audit:
            self._audit = asyncio.create_task(self._run_audit(), name="audit for metrics")
        if first and self._audit:
            await asyncio.wait({self._audit}, timeout=_FIRST_PATIENCE)

    async def close(self) -> None:
        """Stop an audit that is under way."""
        if self._audit and not self._audit.done():
            self._audit.cancel()
            await asyncio.wait({self._audit})

    async def _run_audit(self) -> None:
        began = self._monotonic()
        try:
            balance = await self._view.audit()
        except Exception as error:  # noqa: BLE001 - the next audit may succeed, and metrics go on without this one
            log.warning("audit_failed", error=type(error).__name__)
            self._metrics.unaccounted_alerts.set(_UNKNOWN)
        else:
            self._metrics.unaccounted_alerts.set(balance["unaccounted"])
        now = self._monotonic()
        self._next_audit = now + max(AUDIT_PAUSE, _AUDIT_SHARE * (now - began))
