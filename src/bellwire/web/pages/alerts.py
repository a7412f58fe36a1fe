"""Alerts: searched for, and one alert's whole story with its messages."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from starlette.requests import Request  # noqa: TC002 - FastAPI reads the annotation
from starlette.responses import HTMLResponse, Response

from bellwire.model import AlertState
from bellwire.web import forms
from bellwire.web.imitation import imitate, mail_html
from bellwire.web.present import channel_name
from bellwire.web.view import AlertQuery

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from fastapi import APIRouter

    from bellwire.web.pages.desk import Desk, Values
    from bellwire.web.view import Answer, View

_PAGE = 50
_ASKED = ("match", "state", "since", "until", "before")
_MAIL_POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'self'; sandbox"
"""A mail may look as it likes, and do nothing: what vendors wrote stands in it."""


def add(router: APIRouter, desk: Desk, view: View, wall: Callable[[], datetime]) -> None:
    """Add the pages."""

    async def found(request: Request) -> Values:
        asked = {name: request.query_params.get(name, "") for name in _ASKED}
        values: Values = {"asked": asked, "now": wall(), "states": list(AlertState), "problem": None}
        try:
            answer = await view.insight.search(query_of(asked, wall()))
        except forms.Misunderstood as problem:
            return values | {"status": 422, "still": True, "problem": problem.told(), "alerts": [], "next": None}
        if asked["before"]:  # what is older does not change by itself
            values["still"] = True
        return values | answer

    async def told(request: Request) -> Values:
        reference = request.path_params["reference"]
        stories = await view.explain(reference)
        if not stories:
            return {"answer": desk.page("missing.html", 404, request=request, reference=reference)}
        if len(stories) > 1:
            told = {"reference": reference, "stories": stories}
            return {"answer": desk.page("candidates.html", 409, request=request, **told)}
        story = stories[0]
        streamed = request.url.path.startswith("/live/")  # a message is made once: it does not change
        previews = [] if streamed else [imitate(each) for each in await view.insight.previews(story["id"])]
        return {"story": story, "previews": previews, "channel_name": channel_name, "silence": _silence(story)}

    desk.serve(router, "/alerts", "alerts.html", found)

    @router.get("/alerts/{alert_id}/messages/{position}")
    async def mail(alert_id: str, position: int) -> Response:
        previews = await view.insight.previews(alert_id) if await view.explain(alert_id) else []
        body = previews[position]["body"] if 0 <= position < len(previews) else None
        shown = None if body is None or previews[position]["channel"] != "email" else mail_html(body)
        if shown is None:
            return HTMLResponse("There is no such mail.", 404)
        return HTMLResponse(shown, headers={"content-security-policy": _MAIL_POLICY, "x-frame-options": "SAMEORIGIN"})

    desk.serve(router, "/alerts/{reference:path}", "alert.html", told)


def query_of(asked: dict[str, str], now: datetime) -> AlertQuery:
    """Return what someone looks for. Raises `bellwire.web.forms.Misunderstood`."""
    if asked["state"] and asked["state"] not in list(AlertState):
        message = f"there is no state {asked['state']}"
        raise forms.Misunderstood(message)
    return AlertQuery(
        matchers=forms.matchers([asked["match"]]),
        state=AlertState(asked["state"]) if asked["state"] else None,
        since=forms.moment(asked["since"], now, "since"),
        until=forms.moment(asked["until"], now, "until"),
        before=asked["before"][:26] or None,
        limit=_PAGE,
    )


def _silence(story: Answer) -> str:
    """Return the address at which a silence of alerts like this one begins."""
    lines = [f"{name}={_quoted(story[name])}" for name in ("account", "type", "title") if story[name]]
    return f"/silences?matchers={quote(chr(10).join(lines))}#new"


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
