"""``/api/v1``: what the status page shows, as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Depends, Path, Query
from fastapi.security import HTTPBearer

from bellwire.model import DeliveryState
from bellwire.web import schemas, schemas_insight
from bellwire.web.answers import Json, problem
from bellwire.web.api_alerts import Limit, alerts_router
from bellwire.web.api_deliveries import deliveries_router
from bellwire.web.api_insight import insight_router
from bellwire.web.api_silences import silences_router
from bellwire.web.messages import message_of
from bellwire.web.standing import series_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from bellwire.web.lasthour import LastHour
    from bellwire.web.view import View

Before = Annotated[str | None, Query(max_length=26, description="A delivery's id: only older ones are returned.")]
Receiver = Annotated[str | None, Query(max_length=1024, description="Only deliveries to this receiver.")]
Reference = Annotated[str, Path(max_length=1024, description="An alert's id, or its vendor's.")]
Standing = Annotated[DeliveryState | None, Query(description="Only deliveries in this state.")]
Vendors = Annotated[bool, Query(description="Hold it against each vendor's list of unread notifications, too.")]

_ALWAYS: dict[int | str, dict[str, Any]] = {
    413: {"model": schemas.Problem, "description": "The request is too large."},
    429: {"model": schemas.Problem, "description": "Too many requests: `Retry-After` says when to ask again."},
    421: {"model": schemas.Problem, "description": "The host name is not Bellwire's."},
    503: {"model": schemas.Problem, "description": "The ledger cannot be read."},
}
_ONE_ALERT: dict[int | str, dict[str, Any]] = {
    404: {"model": schemas.Problem, "description": "There is no such alert."},
    409: {"model": schemas.Ambiguity, "description": "Several accounts have an alert of this id."},
}
_GUARDED: dict[int | str, dict[str, Any]] = {
    401: {"model": schemas.Problem, "description": "A token is needed."},
}


def api_router(view: View, hour: LastHour, wall: Callable[[], datetime], *, guarded: bool) -> APIRouter:
    """Return the routes; ``wall`` tells the time, ``guarded`` if a token is asked for."""
    router = APIRouter(
        prefix="/api/v1",
        dependencies=[Depends(HTTPBearer(auto_error=False))] if guarded else [],  # for the document: `visitors` asks
        responses=_ALWAYS | (_GUARDED if guarded else {}),
        default_response_class=Json,
    )

    @router.get("/status", response_model=schemas.Status, tags=["status"])
    async def status() -> Json:
        """Tell how things stand now: readiness, accounts, channels, totals."""
        overview = await view.overview()
        reasons = await view.readiness(overview)
        paced = [channel | hour.pace(channel["receiver"], series_of(channel)) for channel in overview["channels"]]
        return Json(overview | {"ready": not reasons, "reasons": reasons, "channels": paced})

    router.include_router(alerts_router(view, wall))

    @router.get(
        "/alerts/{reference:path}/messages",
        response_model=list[schemas_insight.ChannelMessage],
        responses=_ONE_ALERT,
        tags=["alerts"],
    )
    async def messages(reference: Reference) -> Json:
        """Show one alert's message as each channel that it was owed to would send it now."""
        stories = await view.explain(reference)
        if not stories and (named := await view.explain(f"{reference}/messages")):
            return Json(named[0]) if len(named) == 1 else _not_one(named)  # a vendor's id that ends so
        if len(stories) != 1:
            return _not_one(stories)
        return Json([message_of(each) for each in await view.insight.previews(stories[0]["id"])])

    @router.get("/alerts/{reference:path}", response_model=schemas.Story, responses=_ONE_ALERT, tags=["alerts"])
    async def explain(reference: Reference) -> Json:
        """Tell the whole story of one alert: routing, deliveries, attempts, read mark."""
        stories = await view.explain(reference)
        return Json(stories[0]) if len(stories) == 1 else _not_one(stories)

    @router.get("/deliveries", response_model=list[schemas.Delivery], tags=["deliveries"])
    async def deliveries(
        state: Standing = None, limit: Limit = 50, receiver: Receiver = None, before: Before = None
    ) -> Json:
        """List the newest deliveries. The last one's id as `before` brings the page after it."""
        return Json(await view.deliveries(state, limit, receiver=receiver, before=before))

    @router.get("/audit", response_model=schemas.Audit, tags=["status"])
    async def audit(vendors: Vendors = False) -> Json:  # noqa: FBT002 - FastAPI's way
        """Add up the ledger: every alert ever received is in exactly one state. Reads the whole ledger."""
        return Json(await view.audit(vendors=vendors))

    router.include_router(deliveries_router(view))
    router.include_router(insight_router(view, hour, wall))
    router.include_router(silences_router(view.silences))
    return router


def _not_one(stories: list[dict[str, Any]]) -> Json:
    """Say that a reference names no alert, or which it may name."""
    if not stories:
        return problem(404, "there is no such alert")
    candidates = [{name: story[name] for name in schemas.Candidate.model_fields} for story in stories]
    detail = "several accounts have an alert of this id: ask for one by Bellwire's own"
    return Json({"detail": detail, "candidates": candidates}, 409)
