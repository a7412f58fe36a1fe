"""The way of an account's calls: its lists, its probes and its read marks, over a `bellwire.wire.Wire`."""

from __future__ import annotations

import asyncio
from functools import lru_cache
from typing import TYPE_CHECKING

import orjson

from bellwire.apis.answers import BODY_LIMIT, too_long, unpacked
from bellwire.errors import SourceError
from bellwire.wire import Limits, address_of, lines_of, request

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from bellwire.apis.dialect import Call
    from bellwire.wire import Address, Answer, Wire


@lru_cache(maxsize=256)
def address_behind(base_url: str) -> Address:
    """Return the address to which the targets of calls are added; ValueError if it is none."""
    return address_of(base_url.rstrip("/") + "/", encoded=True)


class ShortWay:
    """Calls of one account. What one call has in common with the last is not made again."""

    __slots__ = ("_base_url", "_headers", "_lines", "_seconds")

    def __init__(self, base_url: str, seconds: float) -> None:
        self._base_url = base_url
        self._seconds = seconds
        self._headers: Mapping[str, str] = {}
        self._lines = b""

    async def ask(
        self, wire: Wire, call: Call, target: str, headers: Mapping[str, str], held: Callable[[], bool]
    ) -> tuple[int, Mapping[str, str], bytes]:
        """Make a call to ``target``, behind the base URL; return status, headers and body. Raises what a wire does."""
        address = address_behind(self._base_url)
        if call.method == "GET":
            lines = lines_of(address, headers)
        else:  # of marks there come many
            if headers != self._headers:
                self._headers, self._lines = headers, lines_of(address, headers)
            lines = self._lines
        body = b"" if call.body is None else orjson.dumps(call.body)
        whole_target = address.target.removesuffix("/") + target
        written = request(call.method, whole_target, lines, body)
        limits = Limits(total=self._seconds, connect=self._seconds, answer=BODY_LIMIT)
        deadline = asyncio.get_running_loop().time() + self._seconds
        answer = await wire.exchange(address.origin, written, limits, repeatable=call.method == "GET", held=held)
        if not answer.whole:
            raise _half(call, answer, late=asyncio.get_running_loop().time() >= deadline)
        given = answer.headers
        return answer.status, given, unpacked(call, answer.body, given.get("Content-Encoding", ""))


def _half(call: Call, answer: Answer, *, late: bool) -> SourceError | TimeoutError:
    if len(answer.body) >= BODY_LIMIT:
        return too_long(call)
    return TimeoutError() if late else SourceError(f"{call}: half an answer", reason="connection")
