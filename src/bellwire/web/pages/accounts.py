"""All accounts, a page of them at a time: the overview folds away those that are well."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bellwire.model import SourceState
from bellwire.web.standing import folded, is_well

if TYPE_CHECKING:
    from fastapi import APIRouter
    from starlette.requests import Request

    from bellwire.web.pages.desk import Desk, Values
    from bellwire.web.view import Answer, View

_PAGE = 100


def add(router: APIRouter, desk: Desk, view: View) -> None:
    """Add the page."""

    async def values(request: Request) -> Values:
        overview = await view.overview()
        query = request.query_params
        named, state = query.get("name", "").strip(), query.get("state", "")
        found = [each for each in overview["accounts"] if _wanted(each, named, state)]
        first = _number(query.get("from"))
        return {
            "now": overview["now"],
            "accounts": found[first : first + _PAGE],
            "every": folded(overview["accounts"]),
            "found": len(found),
            "first": first,
            "following": first + _PAGE if first + _PAGE < len(found) else None,
            "preceding": max(0, first - _PAGE) if first else None,
            "states": [each.value for each in SourceState],
            "asked": {"name": named, "state": state},
        }

    desk.serve(router, "/accounts", "accounts.html", values)


def _wanted(account: Answer, named: str, state: str) -> bool:
    if named.lower() not in account["name"].lower():
        return False
    if state == "unwell":
        return not is_well(account)
    return not state or account["state"] == state


def _number(text: str | None) -> int:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 7 else 0  # noqa: PLR2004 - digits
