"""The gauges that are read from the ledger when somebody asks for the metrics."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bellwire.model import DeliveryState

if TYPE_CHECKING:
    from bellwire.metrics import Metrics
    from bellwire.web.view import View


class Gauges:
    """Refreshes ``deliveries`` at each call."""

    def __init__(self, view: View, metrics: Metrics) -> None:
        self._view = view
        self._metrics = metrics

    async def refresh(self) -> None:
        """Bring the gauges up to date."""
        totals = await self._view.totals()
        for state in DeliveryState:
            self._metrics.deliveries.labels(state=state.value).set(totals.get(f"deliveries.{state}", 0))
