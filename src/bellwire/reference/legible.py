"""Bodies of JSON alone, and refusals that say nothing again.

Python reads more than JSON is: halves of characters, numbers without an end. Neither the store nor an answer can hold any
of that, so that a body with it is none: it is refused as each vendor refuses a body that cannot be read.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import orjson
from fastapi import Request, Response
from fastapi.routing import APIRoute

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from fastapi.exceptions import RequestValidationError

_DEEP = "nested too deeply"


class _StrictRequest(Request):
    async def json(self) -> Any:
        """Return what the body says; json.JSONDecodeError for what is no JSON, and for what is nested too deeply."""
        body = await self.body()
        orjson.loads(body)
        try:
            return json.loads(body)  # which keeps whole numbers of any size
        except RecursionError:
            raise json.JSONDecodeError(_DEEP, "", 0) from None


class StrictRoute(APIRoute):
    """A route that takes JSON alone as JSON."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Wrap the handler."""
        handle = super().get_route_handler()

        async def handled(request: Request) -> Response:
            return await handle(_StrictRequest(request.scope, request.receive))

        return handled


async def refuse(request: Request, error: RequestValidationError) -> Response:
    """Answer 422 in the framework's form, without what was sent: that may be what no answer can hold."""
    del request
    told = [{name: each[name] for name in ("type", "loc", "msg")} for each in error.errors()]
    return Response(orjson.dumps({"detail": told}), 422, media_type="application/json")
