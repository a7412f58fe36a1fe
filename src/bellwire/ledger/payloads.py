"""A vendor's item as it is kept: whole, but for what JSON or a database cannot hold."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import orjson

if TYPE_CHECKING:
    from bellwire.model import Json

_DEEPEST = 200  # orjson goes to 254
_INTEGERS = range(-(2**63), 2**64)


def dump_payload(payload: Json) -> bytes:
    """Return ``payload`` as JSON that `orjson` reads back."""
    return dump_plain(payload) or orjson.dumps(_holdable(payload, _DEEPEST))


def dump_plain(payload: Json) -> bytes | None:
    """Return ``payload`` as JSON, None where JSON cannot hold it as it is."""
    try:
        return orjson.dumps(payload)
    except (TypeError, RecursionError):
        return None  # halves of surrogate pairs, integers beyond 64 bits, or nesting without end


def _holdable(value: Json, depth: int) -> Json:
    match value:
        case str():
            held: Json = value.encode("utf-8", "replace").decode()
        case bool() | None:
            held = value
        case int():
            held = value if value in _INTEGERS else str(value)
        case float():
            held = value if math.isfinite(value) else None
        case dict() | list() if depth == 0:
            held = "… nested too deeply to keep"
        case dict():
            held = {_holdable(str(key), depth): _holdable(each, depth - 1) for key, each in value.items()}
        case list():
            held = [_holdable(each, depth - 1) for each in value]
        case _:
            held = str(value)
    return held
