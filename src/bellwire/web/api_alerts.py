"""``/api/v1/alerts``: alerts searched for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Query
from starlette.requests import Request  # noqa: TC002 - FastAPI reads the annotation

from bellwire.model import AlertState
from bellwire.web import forms, schemas, schemas_silences
from bellwire.web.answers import Json, next_page, problem
from bellwire.web.view import AlertQuery

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from bellwire.web.view import View

MAX_LISTED = 1000

Limit = Annotated[int, Query(ge=1, le=MAX_LISTED, description="How many at most.")]
Before = Annotated[str | None, Query(max_length=26, description="An alert's id: only older ones are returned.")]
Match = Annotated[
    list[str],
    Query(max_length=100, description="A matcher, or several: all must match. May be given again."),
]
State = Annotated[AlertState | None, Query(description="Only alerts in this state.")]
Since = Annotated[
    str | None, Query(max_length=64, description="Those that came since: a time, or how long ago (`2h`).")
]
Until = Annotated[str | None, Query(max_length=64, description="Those that came before: a time, or how long ago.")]

_LINK = {
    "Link": {
        "description": "The address of the next, older page, with `rel=next`; absent once there are no more.",
        "schema": {"type": "string"},
    }
}
LINKED: dict[int | str, dict[str, Any]] = {200: {"headers": _LINK}}
"""The answer of whatever is listed page by page."""
_RESPONSES = LINKED | {
    400: {"model": schemas_silences.BadMatcher, "description": "It cannot be understood."},
}


def alerts_router(view: View, wall: Callable[[], datetime]) -> APIRouter:
    """Return the route, to stand below ``/api/v1``; ``wall`` tells the time."""
    router = APIRouter(tags=["alerts"])

    @router.get("/alerts", response_model=list[schemas.Alert], responses=_RESPONSES)
    async def alerts(  # noqa: PLR0913, PLR0917 - a parameter each
        request: Request,
        match: Match = [],  # noqa: B006 - FastAPI copies it
        state: State = None,
        since: Since = None,
        until: Until = None,
        limit: Limit = 50,
        before: Before = None,
    ) -> Json:
        """Search alerts, the newest first, and tell where each went.

        A search ends in bounded time: there may be fewer than `limit`, or none, and still more behind the `Link`.
        """
        now = wall()
        try:
            query = AlertQuery(
                matchers=forms.matchers(match),
                state=state,
                since=forms.moment(since, now, "since"),
                until=forms.moment(until, now, "until"),
                before=before,
                limit=limit,
            )
        except forms.Misunderstood as wrong:
            if wrong.at is None:
                return problem(400, str(wrong))
            return Json({"detail": str(wrong), "matcher": wrong.text, "offset": wrong.at}, 400)
        found = await view.insight.search(query)
        return Json(found["alerts"], headers=next_page(request, found["next"]))

    return router
