"""The way of the calls that are made for each alert: an account's read marks, over a `bellwire.wire.Wire`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson

from bellwire.apis.answers import BODY_LIMIT
from bellwire.errors import SourceError
from bellwire.wire import Limits, address_of, lines_of, request

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bellwire.apis.dialect import Call
    from bellwire.wire import Address, Wire


class ShortWay:
    """Calls of one account. What one call has in common with the last is not made again."""

    def __init__(self, base_url: str, seconds: float) -> None:
        self._base_url = base_url
        self._limits = Limits(total=seconds, connect=seconds, answer=BODY_LIMIT)
        self._address: Address | None = None
        self._headers: Mapping[str, str] = {}
        self._lines = b""

    async def ask(
        self, wire: Wire, call: Call, target: str, headers: Mapping[str, str]
    ) -> tuple[int, Mapping[str, str], bytes]:
        """Make a call to ``target``, behind the base URL; return status, headers and body. Raises what a wire does."""
        address = self._address or address_of(self._base_url.rstrip("/") + "/", encoded=True)
        if address is not self._address or headers != self._headers:
            self._address, self._headers, self._lines = address, headers, lines_of(address, headers)
        body = b"" if call.body is None else orjson.dumps(call.body)
        whole_target = address.target.removesuffix("/") + target
        written = request(call.method, whole_target, self._lines, body)
        answer = await wire.exchange(address.origin, written, self._limits)
        if not answer.whole:
            message = f"{call}: half an answer"
            raise SourceError(message, reason="connection")
        return answer.status, answer.headers, answer.body
