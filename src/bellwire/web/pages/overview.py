"""The overview: whether it works, at a glance."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

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
    from bellwire.web.view import View

_ALERTS = 10
_ACTIONS = 8
_FRESH = 0.9  # seconds: several who look share one look
_TOTALS = ("received", "in_flight", "delivered", "suppressed", "dead")


def add(router: APIRouter, desk: Desk, view: View, hour: LastHour) -> None:
    """Add the page."""

    async def look() -> Values:
        found = await asyncio.gather(
            view.overview(), view.readiness(), view.recent_alerts(_ALERTS), view.insight.actions(_ACTIONS)
        )
        return _values(*found, hour=hour)

    shared = Snapshot(look, _FRESH)

    async def values(_: Request) -> Values:
        return await shared.get()

    desk.serve(router, "/", "overview.html", values)


def _values(
    overview: dict[str, Any], reasons: list[str], alerts: list[Any], actions: list[Any], *, hour: LastHour
) -> Values:
    now, totals = overview["now"], overview["totals"]
    told = verdict(overview, reasons)
    accounts = folded(overview["accounts"])
    channels = receivers(overview["channels"], hour)
    minutes = hour.minutes(now)
    chart = draw(minutes)
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
        "charts": [("wide", chart), ("narrow", draw(minutes, NARROW))],
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
