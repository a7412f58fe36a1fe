"""Whether what was sent as JSON is JSON, and can be written down again. Plain ASGI.

Python reads more than JSON is: halves of characters, numbers without an end. Neither the ledger nor an answer can hold any
of that. So it is refused here, before anything is made of it, whatever it was sent to.
"""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any, TypeAlias

import orjson
from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect, Request

from bellwire.config.values import is_whole
from bellwire.web.answers import misread

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

Place: TypeAlias = tuple[str | int, ...]
"""The way to a value: ``body``, then keys and positions, as the framework names places."""

_BODY = "body"
_DEEPEST = 1000
_LONGEST_NUMBER = 400  # digits: as a floating-point number it has no end long before
_NO_NUMBER = "is too large for a number, or is none"
_HALF = "holds half of a character (a surrogate without its other half)"
_HALF_KEY = f"has a key that {_HALF}"
_DEEP = "is nested too deeply"
_CODED = "is no JSON in UTF-8"


class Legible:
    """Answers 422 to what is sent as JSON and cannot be read as such."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http" or "json" not in Headers(scope=scope).get("content-type", "").lower():
            await self._app(scope, receive, send)
            return
        try:
            body = await Request(scope, receive).body()
        except ClientDisconnect:
            return
        if found := illegible(body):
            place, why = found
            await misread([{"type": "json_invalid", "loc": place, "msg": why}])(scope, receive, send)
            return
        unread = [body]

        async def receiving() -> Message:
            if unread:
                return {"type": "http.request", "body": unread.pop(), "more_body": False}
            return await receive()

        await self._app(scope, receiving, send)


def illegible(body: bytes) -> tuple[Place, str] | None:
    """Return where something stands that cannot be read, and why; None if all can. An empty body says nothing wrong."""
    try:
        orjson.loads(body or b"null")
    except orjson.JSONDecodeError:
        pass
    else:
        return None
    try:
        read = json.loads(body, parse_int=_number)
    except json.JSONDecodeError as error:
        return (_BODY, error.pos), f"is no JSON: {error.msg}"
    except RecursionError:
        return (_BODY,), _DEEP
    except UnicodeDecodeError:
        return (_BODY,), _CODED
    return _first_fault(read) or ((_BODY,), _CODED)


def _number(digits: str) -> int | float:
    return int(digits) if len(digits) < _LONGEST_NUMBER else math.inf


def _first_fault(value: Any) -> tuple[Place, str] | None:
    """Look at everything in ``value``, however deep; the way back is kept once, and not with each value."""
    way: list[str | int] = []
    levels: list[Iterator[tuple[str | int, Any]]] = [iter([(_BODY, value)])]
    while levels:
        for name, each in levels[-1]:
            if why := _fault(each):
                return (*way, name), why
            if isinstance(each, dict | list):
                way.append(name)
                levels.append(iter(_entries(each)))
                break
        else:
            levels.pop()
            del way[-1:]
        if len(levels) > _DEEPEST:
            return (_BODY,), _DEEP
    return None


def _entries(value: dict[str, Any] | list[Any]) -> Iterable[tuple[str | int, Any]]:
    return value.items() if isinstance(value, dict) else enumerate(value)


def _fault(value: Any) -> str | None:
    """Return what is wrong with this value, leaving aside what is in it."""
    if isinstance(value, str):
        return None if is_whole(value) else _HALF
    if isinstance(value, dict):
        return None if all(map(is_whole, value)) else _HALF_KEY
    if isinstance(value, int | float):
        try:
            return None if math.isfinite(value) else _NO_NUMBER
        except OverflowError:
            return _NO_NUMBER
    return None
