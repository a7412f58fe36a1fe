"""Whether a request that changes something was sent by another site's page, through the browser of someone who may."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import HTTPException, Request

if TYPE_CHECKING:
    from collections.abc import Mapping


def is_foreign(headers: Mapping[str, str]) -> bool:
    """Return whether a browser sent this from another site's page. Programs send neither header."""
    origin = headers.get("origin")
    same = origin is None or origin.partition("://")[2] == headers.get("host")
    return not same or headers.get("sec-fetch-site", "same-origin") not in {"same-origin", "none"}


async def from_here(request: Request) -> None:
    """Answer 403 to another site's page."""
    if is_foreign(request.headers):
        raise HTTPException(403, "another site's page may not ask for this")
