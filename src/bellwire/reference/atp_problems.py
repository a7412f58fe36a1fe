"""The errors of the Agent Triage Protocol, in its own form."""

from __future__ import annotations

import math
import uuid
from typing import TYPE_CHECKING, Any, Final

import orjson
from fastapi import Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from bellwire.reference.atp_schema import Problem
from bellwire.reference.legible import StrictRoute

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping

    from fastapi import Request

    from bellwire.model import Json


class ProblemError(Exception):
    """A call that is refused; the message is for the client."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        details: Mapping[str, Json] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.status = status
        self.code = code
        self.details = details or {}
        self.headers = headers or {}
        super().__init__(message)

    def response(self) -> Response:
        """Return the answer that says so."""
        body = {"code": self.code, "message": str(self), "details": self.details, "request_id": str(uuid.uuid4())}
        return Response(orjson.dumps(body), self.status, dict(self.headers), media_type="application/json")


def invalid(*, parameter: str, message: str) -> ProblemError:
    """Refuse what a client sent."""
    return ProblemError(400, "INVALID_PARAMETER", message, details={"parameter": parameter})


def unauthorized() -> ProblemError:
    """Refuse who asks."""
    headers = {"WWW-Authenticate": "Bearer"}
    return ProblemError(401, "AUTH_INVALID_TOKEN", "The token is invalid", headers=headers)


def rate_limited(seconds: float) -> ProblemError:
    """Refuse for now."""
    headers = {"Retry-After": str(max(1, math.ceil(seconds)))}
    return ProblemError(429, "RATE_LIMIT_EXCEEDED", "The rate limit is exceeded", headers=headers)


class ProblemRoute(StrictRoute):
    """A route whose refusals, FastAPI's of parameters too, have the protocol's form."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Wrap the handler."""
        handle = super().get_route_handler()

        async def handled(request: Request) -> Response:
            try:
                return await handle(request)
            except ProblemError as problem:
                return problem.response()
            except HTTPException as error:  # the body is no text
                return invalid(parameter="", message=str(error.detail)).response()
            except RequestValidationError as error:
                first = error.errors()[0]
                place = ".".join(str(part) for part in first["loc"][1:])
                return invalid(parameter=place, message=str(first["msg"])).response()

        return handled


_MEANINGS: Final = {
    400: "INVALID_PARAMETER",
    401: "AUTH_INVALID_TOKEN",
    403: "NOTIFICATION_ACCESS_DENIED",
    404: "NOTIFICATION_NOT_FOUND",
    409: "NOTIFICATION_ALREADY_RESPONDED",
    429: "RATE_LIMIT_EXCEEDED",
}


def promised(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return what the OpenAPI page says of a route's refusals."""
    return {status: {"model": Problem, "description": _MEANINGS[status]} for status in statuses}
