"""The pages that people look at."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson
from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse, Response

from bellwire.model import DeliveryState
from bellwire.web.present import channel_name, environment, verdict
from bellwire.web.snapshot import Snapshot

if TYPE_CHECKING:
    from bellwire.web.view import Answer, View

_SHOWN = 50  # alerts on the status page
_FRESH = 1.0  # seconds: half the time between two looks of a page


class _Live(NamedTuple):
    """A part of a page, with a mark that changes when it does."""

    mark: str
    html: str


class Pages:
    """Renders templates, and the part of the status page that is fetched again and again."""

    def __init__(self, view: View, *, guarded: bool) -> None:
        self._view = view
        self._environment = environment()
        self._environment.globals["guarded"] = guarded
        self._last = _Live("", "")
        self._live = Snapshot(self._look, _FRESH)

    def page(self, template: str, status: int = 200, **values: Any) -> Response:
        """Answer with a whole page."""
        return HTMLResponse(self._environment.get_template(template).render(values), status)

    async def live(self) -> _Live:
        """Return the status page's changing part."""
        return await self._live.get()

    async def _look(self) -> _Live:
        """Ask for what the page shows, and render it unless it is what it was: rendering costs far more than asking."""
        overview = await self._view.overview()
        alerts = await self._view.recent_alerts(_SHOWN)
        reasons = await self._view.readiness()
        shown = overview | {"now": overview["now"].date()}  # of it only the day is seen
        mark = hashlib.sha256(orjson.dumps([shown, alerts, reasons])).hexdigest()[:16]
        if mark != self._last.mark:
            self._last = _Live(mark, self._render(overview, alerts, reasons))
        return self._last

    def _render(self, overview: Answer, alerts: list[Answer], reasons: list[str]) -> str:
        return self._environment.get_template("live.html").render(
            overview=overview,
            now=overview["now"],
            totals=overview["totals"],
            alerts=alerts,
            verdict=verdict(overview, reasons),
            delivery_states=list(DeliveryState),
        )


def pages_router(pages: Pages, view: View) -> APIRouter:
    """Return the routes of the status page and of an alert's page."""
    router = APIRouter(include_in_schema=False)

    @router.get("/")
    async def status() -> Response:
        return pages.page("status.html", live=await pages.live())

    @router.get("/live")
    async def live(request: Request) -> Response:
        part = await pages.live()
        if request.query_params.get("seen") == part.mark:
            return Response(status_code=204)  # the page stays as it is: nothing jumps, nothing is read out again
        return pages.page("frame.html", live=part)

    @router.get("/alerts/{reference:path}")
    async def story(reference: str) -> Response:
        stories = await view.explain(reference)
        if not stories:
            return pages.page("missing.html", 404, reference=reference)
        if len(stories) > 1:
            return pages.page("candidates.html", 409, reference=reference, stories=stories)
        return pages.page("alert.html", story=stories[0], channel_name=channel_name)

    return router
