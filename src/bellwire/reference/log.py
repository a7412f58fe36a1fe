"""The requests that clients made, so that a test can see what was never called."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Collection

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

ENTRY: Final = "bellwire.reference.entry"
"""Where the scope of a request keeps its entry, for whoever finds out whose request it is."""


@dataclass(kw_only=True, slots=True)
class Entry:
    """One request: ``user`` is None until someone proved to be them, ``status`` until the answer began.

    The query is left out: some vendors take tokens there.
    """

    number: int
    method: str
    path: str
    user: str | None = None
    status: int | None = None


class RequestLog:
    """The last ``size`` requests; ``total`` counts all that ever came."""

    def __init__(self, size: int) -> None:
        self._entries: deque[Entry] = deque(maxlen=size)
        self.total = 0

    def open(self, method: str, path: str) -> Entry:
        """Note a request as it comes in; the caller fills in the rest."""
        self.total += 1
        entry = Entry(number=self.total, method=method, path=path)
        self._entries.append(entry)
        return entry

    def entries(self, after: int = 0) -> list[Entry]:
        """Return what is remembered of the requests with a number over ``after``, oldest first."""
        return [entry for entry in self._entries if entry.number > after]


class RecordRequests:
    """ASGI middleware that notes every request to one of the faces. The control API's own are left out."""

    def __init__(self, app: ASGIApp, *, log: RequestLog, faces: Collection[str]) -> None:
        self._app = app
        self._log = log
        self._faces = faces

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and note its status as the answer begins."""
        if scope["type"] != "http" or scope["path"].split("/")[1] not in self._faces:
            await self._app(scope, receive, send)
            return
        entry = scope[ENTRY] = self._log.open(scope["method"], scope["path"])

        async def observe(message: Message) -> None:
            if message["type"] == "http.response.start":
                entry.status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, observe)
        except Exception:
            entry.status = entry.status or 500  # the server's outermost layer answers that
            raise
