"""Asks every visitor for a token, wherever one is set."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from starlette.datastructures import Headers
from starlette.requests import cookie_parser
from starlette.responses import PlainTextResponse, RedirectResponse, Response

from bellwire.web.answers import problem
from bellwire.web.door import Role
from bellwire.web.proof import PATH

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.types import ASGIApp, Receive, Scope, Send

    from bellwire.web.door import Door

COOKIE = "bellwire"
ROLE = "bellwire.role"  # in the scope of a request

_OPEN_PATHS = frozenset({"/-/healthy", "/-/ready", "/login", PATH})
_OPEN_FOLDER = "/static/"
_LOOKING = frozenset({"GET", "HEAD"})


class Visitors:
    """Lets in who has a token: as ``Authorization: Bearer``, or as the cookie of the login form."""

    def __init__(self, app: ASGIApp, door: Door) -> None:
        self._app = app
        self._door = door

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http" or _is_open(scope["path"]):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        role = Role.OPERATOR if self._door.open else self._role(headers)
        if role is None:
            await _ask_for_token(scope, headers)(scope, receive, send)
        elif role is Role.READER and scope["method"] not in _LOOKING and scope["path"] != "/logout":
            await problem(403, "this token may only look")(scope, receive, send)
        else:
            await self._app({**scope, ROLE: role}, receive, send)

    def _role(self, headers: Headers) -> Role | None:
        scheme, _, token = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            return self._door.role_of_token(token.strip())
        cookie = cookie_parser(headers.get("cookie", "")).get(COOKIE, "")
        return self._door.role_of_cookie(cookie)


def role_of(request: Request) -> Role:
    """Return what whoever sent this may do."""
    role: Role = request.scope.get(ROLE, Role.READER)
    return role


def who_asks(request: Request) -> str:
    """Return who this is, as it is kept with what people do: how they came, and from where."""
    by_program = request.url.path.startswith(("/api/", "/-/"))
    client = request.client.host if request.client else "elsewhere"
    return f"{'a program' if by_program else 'the page'}, from {client}"


def _is_open(path: str) -> bool:
    return path in _OPEN_PATHS or path.startswith(_OPEN_FOLDER)


def _ask_for_token(scope: Scope, headers: Headers) -> Response:
    if headers.get("hx-request"):  # a page that was open when its session ended
        return PlainTextResponse("log in again", 401, {"hx-redirect": "/login", "www-authenticate": "Bearer"})
    if "text/html" in headers.get("accept", "") and scope["method"] == "GET":
        return RedirectResponse(f"/login?next={quote(scope['path'], safe='')}", 303)
    return problem(401, "a token is needed: Authorization: Bearer TOKEN", {"www-authenticate": "Bearer"})
