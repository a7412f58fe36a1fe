"""``/api/v1``: routes tried, the configuration, the last hour, and what people did."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Query

from bellwire.errors import BellwireError, LedgerError
from bellwire.web import schemas, schemas_insight
from bellwire.web.answers import Json, problem
from bellwire.web.forms import Misunderstood
from bellwire.web.trial import labels_of, time_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from bellwire.web.lasthour import LastHour
    from bellwire.web.view import View

Labels = Annotated[
    list[str], Query(alias="label", min_length=1, max_length=200, description="`name=value`. May be given again.")
]
At = Annotated[str, Query(max_length=64, description="A time; now, if it is not given.")]
Limit = Annotated[int, Query(ge=1, le=1000, description="How many at most.")]

_BAD: dict[int | str, dict[str, Any]] = {400: {"model": schemas.Problem, "description": "It cannot be understood."}}


def insight_router(view: View, hour: LastHour, wall: Callable[[], datetime]) -> APIRouter:
    """Return the routes, to stand below ``/api/v1``; ``wall`` tells the time."""
    router = APIRouter()

    @router.get("/routes", response_model=schemas_insight.Routes, tags=["routes"])
    async def routes() -> Json:
        """Tell the routing tree, parents before children, and how many alerts of the last day each route took."""
        return Json(await view.insight.routes())

    @router.get("/routes/try", response_model=schemas_insight.Trial, responses=_BAD, tags=["routes"])
    async def attempt(label: Labels, at: At = "") -> Json:
        """Tell what would become of an alert with these labels: each step, and what stands in its way. Nothing is sent."""
        try:
            return Json(await view.insight.try_alert(labels_of(label), time_of(at)))
        except LedgerError:
            raise
        except (Misunderstood, BellwireError) as error:
            return problem(400, str(error))

    @router.get("/config", response_model=schemas_insight.Configuration, tags=["configuration"])
    async def configuration() -> Json:
        """Tell the configuration that is in force, without secrets, and how the last reload went."""
        return Json(await view.insight.configuration())

    @router.get("/actions", response_model=list[schemas_insight.Action], tags=["status"])
    async def actions(limit: Limit = 50) -> Json:
        """List what people did, the newest first."""
        return Json(await view.insight.actions(limit))

    @router.get("/history", response_model=list[schemas_insight.Minute], tags=["status"])
    async def history() -> Json:
        """Tell how many alerts there were in each minute of the last hour, the oldest first."""
        return Json(hour.minutes(wall()))

    return router
