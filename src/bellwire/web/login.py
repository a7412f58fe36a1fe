"""The login form of the browser."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

import structlog
from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from bellwire.web.door import SESSION_SECONDS, Session
from bellwire.web.visitors import COOKIE, as_name

if TYPE_CHECKING:
    from bellwire.web.door import Door
    from bellwire.web.pages.desk import Desk

_MAX_FORM = 8192  # bytes
_LONGEST_NAME = 80  # characters: it goes into the cookie

log = structlog.get_logger(__name__)


def login_router(desk: Desk, door: Door, *, secure: bool) -> APIRouter:
    """Return the routes; ``secure`` if browsers come by https."""
    router = APIRouter(include_in_schema=False)

    @router.get("/login")
    async def form(request: Request) -> Response:
        return desk.page(
            "login.html", request=request, next=_local(request.query_params.get("next")), name="", wrong=False
        )

    @router.post("/login")
    async def login(request: Request) -> Response:
        fields = await _fields(request)
        role = door.role_of_token(fields.get("token", ""))
        client, name = request.client.host if request.client else None, as_name(fields.get("name", ""))[:_LONGEST_NAME]
        if role is None:
            log.warning("login_refused", client=client)
            return desk.page("login.html", 401, request=request, next=_local(fields.get("next")), name=name, wrong=True)
        session = Session(role=role, id=secrets.token_hex(4), name=name)
        log.info("login", client=client, role=role.value, session=session.id, name=name)
        answer = RedirectResponse(_local(fields.get("next")), 303)
        cookie = door.cookie(session)
        answer.set_cookie(COOKIE, cookie, SESSION_SECONDS, httponly=True, samesite="strict", secure=secure)
        return answer

    @router.post("/logout")
    async def logout() -> Response:
        answer = RedirectResponse("/login", 303)
        answer.delete_cookie(COOKIE, httponly=True, samesite="strict", secure=secure)
        return answer

    return router


async def _fields(request: Request) -> dict[str, str]:
    """Return the fields of a small form; none of one that is too large."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > _MAX_FORM:
            return {}
    return {name: values[0] for name, values in parse_qs(body.decode("utf-8", "replace")).items()}


def _local(path: str | None) -> str:
    """Return ``path`` if it is one of ours: nobody is sent elsewhere by a link to the login."""
    ours = path and path.startswith("/") and not path.startswith(("//", "/\\")) and path.isprintable()
    return path if ours and path else "/"
