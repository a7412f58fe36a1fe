"""Asks every visitor for a token, wherever one is set, and knows whom it let in.

Whoever changes something is kept by two things that are never mixed: the name that they give, which nobody has checked, and
how they came in, which is what we have seen ourselves.
"""

from __future__ import annotations

from dataclasses import dataclass
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

    from bellwire.web.door import Door, Session

COOKIE = "bellwire"
ACTOR = "x-bellwire-actor"
"""The header in which a program may say for whom it asks."""

LONGEST_NAME = 200  # characters

_VISITOR = "bellwire.visitor"  # in the scope of a request

_OPEN_PATHS = frozenset({"/-/healthy", "/-/ready", "/login", PATH})
_OPEN_FOLDER = "/static/"
_LOOKING = frozenset({"GET", "HEAD"})
_TOKENS = {Role.OPERATOR: "token", Role.READER: "read token"}

_NOBODY_ASKED = "no token asked for"


@dataclass(frozen=True, kw_only=True, slots=True)
class Visitor:
    """Someone who was let in: ``how`` says by what, ``session`` is that of a browser that logged in."""

    role: Role
    how: str
    session: Session | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Asker:
    """Who asks for a change: the name that they give, and how they came in."""

    who: str
    how: str


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
        visitor = Visitor(role=Role.OPERATOR, how=_NOBODY_ASKED) if self._door.open else self._visitor(headers)
        if visitor is None:
            await _ask_for_token(scope, headers)(scope, receive, send)
        elif visitor.role is Role.READER and scope["method"] not in _LOOKING and scope["path"] != "/logout":
            await problem(403, "this token may only look")(scope, receive, send)
        else:
            await self._app({**scope, _VISITOR: visitor}, receive, send)

    def _visitor(self, headers: Headers) -> Visitor | None:
        scheme, _, token = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            role = self._door.role_of_token(token.strip())
            return Visitor(role=role, how=_TOKENS[role]) if role else None
        session = self._door.session_of(cookie_parser(headers.get("cookie", "")).get(COOKIE, ""))
        return Visitor(role=session.role, how=f"page session {session.id}", session=session) if session else None


def role_of(request: Request) -> Role:
    """Return what whoever sent this may do."""
    visitor: Visitor | None = request.scope.get(_VISITOR)
    return visitor.role if visitor else Role.READER


def session_of(request: Request) -> Session | None:
    """Return the session in which a browser sent this; None if it is none's."""
    visitor: Visitor | None = request.scope.get(_VISITOR)
    return visitor.session if visitor else None


def who_asks(request: Request, said: str = "") -> Asker:
    """Return who this is, as it is kept with what people do. ``said`` is the name that stands in what was sent."""
    visitor: Visitor | None = request.scope.get(_VISITOR)
    how = visitor.how if visitor else _NOBODY_ASKED
    client = request.client.host if request.client else "elsewhere"
    name = said or _header_name(request) or (visitor.session.name if visitor and visitor.session else "")
    by_program = request.url.path.startswith(("/api/", "/-/"))
    return Asker(who=as_name(name) or ("a program" if by_program else "someone"), how=f"{how}, from {client}")


def as_name(text: str) -> str:
    """Return the name that someone gave, in one line and not too long."""
    return " ".join("".join(each if each.isprintable() else " " for each in text).split())[:LONGEST_NAME]


def _header_name(request: Request) -> str:
    # headers come as Latin-1, whatever was meant
    return request.headers.get(ACTOR, "").encode("latin-1", "replace").decode("utf-8", "replace")


def _is_open(path: str) -> bool:
    return path in _OPEN_PATHS or path.startswith(_OPEN_FOLDER)


def _ask_for_token(scope: Scope, headers: Headers) -> Response:
    if headers.get("hx-request"):  # a page that was open when its session ended
        return PlainTextResponse("log in again", 401, {"hx-redirect": "/login", "www-authenticate": "Bearer"})
    if "text/html" in headers.get("accept", "") and scope["method"] == "GET":
        return RedirectResponse(f"/login?next={quote(scope['path'], safe='')}", 303)
    return problem(401, "a token is needed: Authorization: Bearer TOKEN", {"www-authenticate": "Bearer"})
