"""The pages that people look at: one module and one template each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import APIRouter

from bellwire.web.pages import accounts, alerts, configuration, deliveries, overview, routes, silences

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from bellwire.web.lasthour import LastHour
    from bellwire.web.pages.desk import Desk
    from bellwire.web.view import View


def pages_router(desk: Desk, view: View, hour: LastHour, wall: Callable[[], datetime]) -> APIRouter:
    """Return the routes of every page; ``wall`` tells the time."""
    router = APIRouter(include_in_schema=False)
    overview.add(router, desk, view, hour)
    accounts.add(router, desk, view)
    alerts.add(router, desk, view, wall)
    deliveries.add(router, desk, view, wall)
    silences.add(router, desk, view, wall)
    routes.add(router, desk, view)
    configuration.add(router, desk, view)
    return router
