"""Deliveries: what waits, what is dead; dead ones sent again or given up, once someone has seen what that would do."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from fastapi import Depends
from starlette.requests import Request  # noqa: TC002 - FastAPI reads the annotation
from starlette.responses import RedirectResponse, Response

from bellwire.config.moment import parse_reach
from bellwire.model import DeliveryState
from bellwire.records import LetterOrder
from bellwire.web import forms
from bellwire.web.foreign import from_here
from bellwire.web.pages.desk import link, may_act
from bellwire.web.visitors import Asker, who_asks

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from datetime import datetime

    from fastapi import APIRouter

    from bellwire.web.pages.desk import Desk, Values
    from bellwire.web.view import Answer, View

    Do = Callable[[LetterOrder], Awaitable[Answer]]

_PAGE = 50
_PARTS = 50  # of 200 deliveries each: what one click may set going
_NAMED = 1000  # deliveries that a form names one by one
_VIEWS: dict[str, DeliveryState | None] = {
    "dead": DeliveryState.DEAD,
    "pending": DeliveryState.PENDING,
    "sending": DeliveryState.SENDING,
    "sent": DeliveryState.SENT,
    "all": None,
}
_ACTIONS = ("replay", "abandon")


def add(router: APIRouter, desk: Desk, view: View, wall: Callable[[], datetime]) -> None:
    """Add the pages."""

    async def listed(request: Request) -> Values:
        query = request.query_params
        shown = query.get("state", "dead")
        state = _VIEWS.get(shown, DeliveryState.DEAD)
        receiver, before = query.get("receiver") or None, query.get("before") or None
        found = await view.deliveries(state, _PAGE, receiver=receiver, before=before)
        overview = await view.overview()
        return {
            "now": wall(),
            "shown": shown if shown in _VIEWS else "dead",
            "views": list(_VIEWS),
            "receiver": receiver or "",
            "deliveries": found,
            "next": found[-1]["id"] if len(found) == _PAGE else None,
            "totals": overview["totals"],
            "channels": overview["channels"],
            "receivers": sorted({each["receiver"] for each in overview["channels"]}),
            "done": {name: query.get(name) for name in (*_ACTIONS, "alerts", "more", "problem")},
        }

    desk.serve(router, "/deliveries", "deliveries.html", listed)

    for action, do in (("replay", view.replay), ("abandon", view.abandon)):
        _serve(router, desk, action, do)


def _serve(router: APIRouter, desk: Desk, action: str, do: Do) -> None:
    """Serve one action: the page that asks, and the form that does it."""

    @router.get(f"/deliveries/{action}")
    async def ask(request: Request) -> Response:
        if not may_act(request):
            return desk.page("forbidden.html", 403, request=request)
        asked = {name: request.query_params.getlist(name) for name in request.query_params}
        preview, problem = _nothing(), None
        try:
            preview = await _carry_out(do, _order(asked, who_asks(request), dry=True))
        except forms.Misunderstood as misunderstood:
            problem = misunderstood.told()
        values = {"action": action, "preview": preview, "problem": problem, "form": _form(asked, preview)}
        return desk.page("letters.html", 422 if problem else 200, request=request, **values)

    @router.post(f"/deliveries/{action}", dependencies=[Depends(from_here)])
    async def act(request: Request) -> Response:
        try:
            done = await _carry_out(do, _order(await forms.fields(request), who_asks(request), dry=False))
        except forms.Misunderstood as problem:
            return RedirectResponse(link("/deliveries", problem=str(problem)), 303)
        told = {action: len(done["deliveries"]), "alerts": done["alerts"], "more": "1" if done["next"] else None}
        return RedirectResponse(link("/deliveries", **told), 303)


def _order(asked: dict[str, list[str]], asker: Asker, *, dry: bool) -> LetterOrder:
    """Return what someone means. Raises `Misunderstood`."""
    named = [each for each in asked.get("delivery", []) if each][:_NAMED]
    if not named and forms.one(asked, "dead") != "1":
        message = "choose at least one delivery"
        raise forms.Misunderstood(message)
    if named:
        return LetterOrder(
            deliveries=tuple(named), to=forms.one(asked, "to") or None, who=asker.who, how=asker.how, dry=dry
        )
    since = forms.one(asked, "since")
    try:
        seconds = parse_reach(since).total_seconds() if since else None
    except ValueError as error:
        message = f"since: {error}"
        raise forms.Misunderstood(message) from None
    after, _, until = forms.one(asked, "next").partition(".")
    return LetterOrder(
        receiver=forms.one(asked, "receiver") or None,
        since=seconds,
        after=after,
        until=until or None,
        to=forms.one(asked, "to") or None,
        who=asker.who,
        how=asker.how,
        dry=dry,
    )


async def _carry_out(do: Do, order: LetterOrder) -> Answer:
    """Do all parts of an order, or so many of them. Raises `Misunderstood` where it is refused."""
    whole = _nothing()
    for _ in range(_PARTS):
        part = await do(order)
        if wrong := part["misnamed"] + part["unknown"] + part["refused"]:
            raise forms.Misunderstood("; ".join(wrong))
        whole["deliveries"] += part["deliveries"]
        whole["alerts"] += part["alerts"]
        whole["skipped"] += part["skipped"]
        whole["next"] = part["next"]
        if part["next"] is None:
            break
        after, _, until = part["next"].partition(".")
        order = replace(order, after=after, until=until or None)
    return whole


def _nothing() -> Answer:
    return {"deliveries": [], "alerts": 0, "skipped": 0, "next": None}


def _form(asked: dict[str, list[str]], preview: Answer) -> list[tuple[str, str]]:
    """Return the hidden fields of the form that does what was looked at, and no more than that."""
    to = [("to", forms.one(asked, "to"))]
    ids = [each["id"] for each in preview["deliveries"]]
    if len(ids) <= _NAMED:
        return [("delivery", each) for each in ids] + to
    kept = [(name, forms.one(asked, name)) for name in ("dead", "receiver", "since")]
    return [(name, value) for name, value in kept + to if value]
