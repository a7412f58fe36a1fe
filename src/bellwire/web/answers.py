"""JSON on its way out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
from starlette.responses import JSONResponse

if TYPE_CHECKING:
    from collections.abc import Mapping


class Json(JSONResponse):
    """An answer of plain values, times and enumerations; times end in ``Z``."""

    def render(self, content: Any) -> bytes:
        """Return the JSON text."""
        return orjson.dumps(content, option=orjson.OPT_UTC_Z)


def problem(status: int, detail: str, headers: Mapping[str, str] | None = None) -> Json:
    """Say in the API's one form what is wrong."""
    return Json({"detail": detail}, status, headers)
