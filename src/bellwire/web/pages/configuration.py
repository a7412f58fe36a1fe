"""The configuration that is in force, how the last reload went, and a button for the next."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from fastapi import Depends
from starlette.requests import Request  # noqa: TC002 - FastAPI reads the annotation
from starlette.responses import RedirectResponse, Response

from bellwire.errors import ConfigError
from bellwire.web.foreign import from_here
from bellwire.web.pages.desk import may_act
from bellwire.web.visitors import who_asks

if TYPE_CHECKING:
    from fastapi import APIRouter

    from bellwire.web.pages.desk import Desk, Values
    from bellwire.web.view import View

_ACTIONS = 30


def add(router: APIRouter, desk: Desk, view: View) -> None:
    """Add the pages."""

    async def values(_: Request) -> Values:
        found = await view.insight.configuration()
        overview = await view.overview()
        return found | {
            "started_at": overview["started_at"],
            "version": overview["version"],
            "now": overview["now"],
            "actions": await view.insight.actions(_ACTIONS),
        }

    desk.serve(router, "/configuration", "configuration.html", values)

    @router.get("/configuration/reload")
    async def ask(request: Request) -> Response:
        if not may_act(request):
            return desk.page("forbidden.html", 403, request=request)
        return desk.page("reload.html", request=request)

    @router.post("/configuration/reload", dependencies=[Depends(from_here)])
    async def reload(request: Request) -> Response:
        asker = who_asks(request)
        with contextlib.suppress(ConfigError):  # the page says what was wrong with it
            await view.reload(asker.who, asker.how)
        return RedirectResponse("/configuration", 303)
