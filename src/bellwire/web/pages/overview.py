"""The overview: whether it works, at a glance."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from bellwire.model import DeliveryState
from bellwire.web.chart import NARROW, draw
from bellwire.web.present import verdict
from bellwire.web.snapshot import Snapshot
from bellwire.web.standing import folded, receivers

if TYPE_CHECKING:
    from fastapi import APIRouter
    from starlette.requests import Request

    from bellwire.web.lasthour import LastHour
    from bellwire.web.pages.desk import Desk, Values
    from bellwire.web.view import Answer, View

_ALERTS = 10
_ACTIONS = 8
_FRESH = 0.9  # seconds: several who look share one look
_TOTALS = ("received", "in_flight", "delivered", "suppressed", "dead")


def add(router: APIRouter, desk: Desk, view: View, hour: LastHour) -> None:
    """Add the page."""
    drawn = _Drawn()

    async def look() -> Values:
        overview = await view.overview()
        found = await asyncio.gather(
            view.readiness(overview), view.recent_alerts(_ALERTS), view.insight.actions(_ACTIONS)
        )
        return _values(overview, *found, charts=drawn.of(hour.minutes(overview["now"])), hour=hour)

    shared = Snapshot(look, _FRESH)

    async def values(_: Request) -> Values:
        return await shared.get()

    desk.serve(router, "/", "overview.html", values)


class _Drawn:
    """The chart in both widths, drawn anew only when there is something new in it."""

    def __init__(self) -> None:
        self._minutes: list[Answer] = []
        self._charts: list[tuple[str, Answer]] = []

    def of(self, minutes: list[Answer]) -> list[tuple[str, Answer]]:
        """Return the charts of these minutes."""
        if minutes != self._minutes:
            self._minutes, self._charts = minutes, [("wide", draw(minutes)), ("narrow", draw(minutes, NARROW))]
        return self._charts


def _values(
    overview: Answer,
    reasons: list[str],
    alerts: list[Answer],
    actions: list[Answer],
    *,
    charts: list[tuple[str, Answer]],
    hour: LastHour,
) -> Values:
    now, totals = overview["now"], overview["totals"]
    told = verdict(overview, reasons)
    accounts = folded(overview["accounts"])
    channels = receivers(overview["channels"], hour)
    (_, chart), _ = charts
    counts = [totals.get(f"alerts.{name}", 0) for name in _TOTALS]
    deliveries = [totals.get(f"deliveries.{state}", 0) for state in DeliveryState]
    day = now.date()  # of the time only the day is seen: the rest stands beside it
    return {
        "overview": overview,
        "now": now,
        "totals": totals,
        "alerts": alerts,
        "actions": actions,
        "verdict": told,
        "accounts": accounts,
        "receivers": channels,
        "chart": chart,
        "charts": charts,
        "delivery_states": list(DeliveryState),
        "marks": {
            "verdict": [told, counts],
            "troubles": [day, overview["troubles"], overview["heartbeat"], overview["slack_apps"]],
            "chart": chart,
            "accounts": [day, accounts],
            "receivers": [day, channels, deliveries],
            "alerts": [day, alerts],
            "events": [day, overview["events"], actions],
        },
    }
