"""``/api/v1/deliveries/…``: dead letters, replayed or given up by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Depends, Request

from bellwire.config.moment import parse_reach
from bellwire.records import LetterOrder
from bellwire.web import schemas, schemas_deliveries
from bellwire.web.answers import Json, problem
from bellwire.web.foreign import from_here
from bellwire.web.visitors import Asker, who_asks

if TYPE_CHECKING:
    from bellwire.web.view import View

Answer = dict[str, Any]

_RESPONSES: dict[int | str, dict[str, Any]] = {
    400: {"model": schemas.Problem, "description": "It cannot be understood; nothing was done."},
    403: {"model": schemas.Problem, "description": "The token may only look, or another site's page asks."},
    404: {"model": schemas.Problem, "description": "It names a delivery that there is not; nothing was done."},
    409: {"model": schemas.Problem, "description": "It cannot be done, and why; nothing was done."},
    422: {
        "model": schemas.Problem,
        "description": "It names a receiver that there is not, or is no order; nothing was done.",
    },
}


def deliveries_router(view: View) -> APIRouter:
    """Return the routes, to stand below ``/api/v1``."""
    router = APIRouter(
        prefix="/deliveries", tags=["deliveries"], responses=_RESPONSES, dependencies=[Depends(from_here)]
    )

    @router.post("/replay", response_model=schemas_deliveries.Letters)
    async def replay(asked: schemas_deliveries.Replay, request: Request) -> Json:
        """Send deliveries again: those that are named, or a part of all dead ones; `dry_run` only counts them."""
        order = _order(asked, who_asks(request, asked.by))
        return order if isinstance(order, Json) else _answer(await view.replay(order), order)

    @router.post("/abandon", response_model=schemas_deliveries.Letters)
    async def abandon(asked: schemas_deliveries.Abandonment, request: Request) -> Json:
        """Give up dead deliveries: nothing of them is owed any more, and their alerts may be marked as read."""
        asker = who_asks(request, asked.by)
        order = LetterOrder(deliveries=tuple(asked.deliveries), who=asker.who, how=asker.how, dry=asked.dry_run)
        return _answer(await view.abandon(order), order)

    return router


def _order(asked: schemas_deliveries.Replay, asker: Asker) -> LetterOrder | Json:
    if asked.dead == bool(asked.deliveries):
        return problem(400, "name deliveries, or ask for all that are dead")
    if asked.deliveries and (asked.receiver is not None or asked.since is not None):
        return problem(400, "receiver and since choose among all that are dead: they go with `dead`")
    try:
        since = None if asked.since is None else parse_reach(asked.since).total_seconds()
    except ValueError as error:
        return problem(400, f"since: {error}")
    after, _, until = (asked.next or "").partition(".")
    return LetterOrder(
        deliveries=tuple(asked.deliveries) or None,
        receiver=asked.receiver,
        since=since,
        after=after,
        until=until or None,
        to=asked.to,
        who=asker.who,
        how=asker.how,
        dry=asked.dry_run,
    )


def _answer(found: Answer, order: LetterOrder) -> Json:
    if found["misnamed"]:
        return problem(422, "; ".join(found["misnamed"]))
    if found["unknown"]:
        return problem(404, "; ".join(found["unknown"]))
    if found["refused"]:
        return problem(409, "; ".join(found["refused"]))
    told = {key: found[key] for key in ("deliveries", "alerts", "skipped", "next")}
    return Json(told | {"dry_run": order.dry})
