"""How the Owlmetry API hears and answers: its errors, its bodies, and who is asking. Its framework is Fastify."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Final, NoReturn

import orjson
from fastapi import Depends, Request, Response, Security
from fastapi.routing import APIRoute
from fastapi.security import APIKeyCookie, HTTPAuthorizationCredentials, HTTPBearer

from bellwire.reference.context import context_of, note_user
from bellwire.reference.store import Inbox
from bellwire.reference.traps import Trap

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from typing import Any

    from bellwire.model import Json
    from bellwire.reference.context import Context

NAME: Final = "owlmetry"
_BODY_LIMIT: Final = 1024 * 1024  # Fastify's own


class AnswerError(Exception):
    """An answer that is no success."""

    def __init__(self, status: int, body: dict[str, Json]) -> None:
        self.status = status
        self.body = body


def refuse(status: int, error: str) -> NoReturn:
    """Answer in the vendor's own form."""
    raise AnswerError(status, {"error": error})


def refuse_as_framework(status: int, message: str, code: str | None = None) -> NoReturn:
    """Answer in the form of the framework."""
    named = {} if code is None else {"code": code}
    raise AnswerError(status, {"statusCode": status, **named, "error": HTTPStatus(status).phrase, "message": message})


def json_answer(value: object, status: int = 200) -> Response:
    """Return an answer."""
    return Response(orjson.dumps(value), status, media_type="application/json")


class Route(APIRoute):
    """A path whose refusals are answered as the vendor does."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return what answers a request."""
        handler = super().get_route_handler()

        async def answered(request: Request) -> Response:
            try:
                return await handler(request)
            except AnswerError as exc:
                return json_answer(exc.body, exc.status)

        return answered


# --- bodies --------------------------------------------------------------------------------------------------------


async def read_body(request: Request) -> Json:
    """Return what a body says, None if there is none."""
    content = await request.body()
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if len(content) > _BODY_LIMIT:
        refuse_as_framework(413, "Request body is too large", "FST_ERR_CTP_BODY_TOO_LARGE")
    if kind == "application/json":
        return _json(content, context_of(request))
    if kind == "text/plain":
        return content.decode("utf-8", "replace")
    if kind or content:
        refuse_as_framework(415, f"Unsupported Media Type: {kind}", "FST_ERR_CTP_INVALID_MEDIA_TYPE")
    return None


def _json(content: bytes, context: Context) -> Json:
    if not content:
        if Trap.OWLMETRY_EMPTY_JSON_REFUSED not in context.traps:
            return None
        message = "Body cannot be empty when content-type is set to 'application/json'"
        refuse_as_framework(400, message, "FST_ERR_CTP_EMPTY_JSON_BODY")
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError:
        message = "Body is not valid JSON but content-type is set to 'application/json'"
        refuse_as_framework(400, message, "FST_ERR_CTP_INVALID_JSON_BODY")


# --- who is asking -------------------------------------------------------------------------------------------------
# The two securities are there for the page alone: the framework would take a scheme in any case of letters.

_SCHEME: Final = "Bearer "
_API_KEY: Final = "owl_"
_Bearer = Annotated[HTTPAuthorizationCredentials | None, Security(HTTPBearer(auto_error=False))]
_Cookie = Annotated[str | None, Security(APIKeyCookie(name="token", auto_error=False))]


async def _inbox(request: Request, bearer: _Bearer, cookie: _Cookie) -> Inbox:
    del bearer
    context = context_of(request)
    if not context.settings.auth:
        user = context.settings.users[0].name
    else:
        user = _user(context, request.headers.get("authorization"), cookie)
    note_user(request, user)
    return Inbox(api=NAME, user=user)


def _user(context: Context, header: str | None, cookie: str | None) -> str:
    """Return who asks. A header, good or bad, is looked at before the cookie."""
    if header is None and cookie is None:
        refuse(401, "Missing authorization")
    if header is not None and not header.startswith(_SCHEME):
        refuse(401, "Invalid authorization format")
    token = (cookie or "") if header is None else header.removeprefix(_SCHEME)
    user = context.credentials.user_of_token(token)
    if header is not None and token.startswith(_API_KEY):
        if user is None and context.credentials.user_of_key(token) is None:
            refuse(401, "Invalid API key")
        refuse(403, "User authentication required")
    if user is None:
        refuse(401, "Invalid or expired token")
    return user


Caller = Annotated[Inbox, Depends(_inbox)]
