"""JSON on its way out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
from starlette.responses import JSONResponse

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from starlette.requests import Request


class Json(JSONResponse):
    """An answer of plain values, times and enumerations; times end in ``Z``."""

    def render(self, content: Any) -> bytes:
        """Return the JSON text."""
        return orjson.dumps(content, option=orjson.OPT_UTC_Z)


def problem(status: int, detail: str, headers: Mapping[str, str] | None = None) -> Json:
    """Say in the API's one form what is wrong."""
    return Json({"detail": detail}, status, headers)


def next_page(request: Request, before: str | None) -> dict[str, str] | None:
    """Return the header that names the next page of what was asked for: None if there is none."""
    if before is None:
        return None
    url = request.url.include_query_params(before=before)
    return {"link": f'<{url.path}?{url.query}>; rel="next"'}


def misread(errors: Sequence[Mapping[str, Any]]) -> Json:
    """Answer 422 with these errors, in the framework's form: where each is, and why.

    What was sent is not said again: it may be what no answer can hold, or what is nobody else's to see.
    """
    return Json({"detail": [{name: error[name] for name in ("type", "loc", "msg")} for error in errors]}, 422)
