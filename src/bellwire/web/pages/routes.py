"""Routes: the tree with what went where, and a form to try an alert on it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bellwire.errors import BellwireError, LedgerError
from bellwire.web import forms
from bellwire.web.snapshot import Snapshot
from bellwire.web.trial import labels_of, time_of

if TYPE_CHECKING:
    from fastapi import APIRouter
    from starlette.requests import Request

    from bellwire.web.pages.desk import Desk, Values
    from bellwire.web.view import Answer, View

_FRESH = 10.0  # seconds: counting reads thousands of decisions


def add(router: APIRouter, desk: Desk, view: View) -> None:
    """Add the page."""
    shared = Snapshot(view.insight.routes, _FRESH)

    async def values(request: Request) -> Values:
        query = request.query_params
        asked = {"labels": query.get("labels", ""), "at": query.get("at", "")}
        found = await shared.get()
        told = {
            "tree": _nested(found["routes"]),
            "tally": found["tally"],
            "asked": asked,
            "trial": None,
            "problem": None,
        }
        if not asked["labels"].strip():
            return told
        try:
            labels = labels_of(asked["labels"].splitlines())
            told["trial"] = await view.insight.try_alert(labels, time_of(asked["at"]))
        except LedgerError:
            raise
        except (forms.Misunderstood, BellwireError) as problem:
            told |= {"problem": {"message": str(problem), "text": "", "caret": None}, "status": 422}
        return told | {"still": True}

    desk.serve(router, "/routes", "routes.html", values)


def _nested(routes: list[Answer]) -> list[Answer]:
    """Return the roots of the tree: each route with those below it as ``children``."""
    by_path = {each["route"]: each | {"children": []} for each in routes}
    for each in by_path.values():
        if each["parent"] is not None:
            by_path[each["parent"]]["children"].append(each)
    return [each for each in by_path.values() if each["parent"] is None]
