"""Pages that stay up to date: what changes of one is sent as Server-Sent Events, and only when it has changed."""

from __future__ import annotations

import asyncio
import hashlib
import time
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson
from markupsafe import Markup
from starlette.responses import StreamingResponse

from bellwire.errors import BellwireError
from bellwire.web.answers import problem

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

    from jinja2 import Environment
    from starlette.responses import Response

MOST_STREAMS = 64
"""At once: each looks again and again."""

_LEAST, _MOST = 1.0, 15.0  # seconds between two looks
_REST = 125  # times as long as a look computed, to rest after it: watching costs less than a hundredth of a core
_KEEP_ALIVE = b": still here\n\n"
_RETRY = b"retry: 2000\n\n"  # milliseconds


class Part(NamedTuple):
    """A part of a page, with a mark that changes when it does."""

    mark: str
    html: Markup


Parts = dict[str, Part]


class Press:
    """Renders the parts of one page, each only if what it shows has changed: rendering costs far more than asking."""

    def __init__(self, environment: Environment) -> None:
        self._environment = environment
        self._last: dict[str, Part] = {}

    def part(self, name: str, shown: Any, template: str, **values: Any) -> Part:
        """Return the part: ``values`` are what the template takes, ``shown`` what it makes of them."""
        mark = hashlib.sha256(orjson.dumps(shown, default=str)).hexdigest()[:16]
        last = self._last.get(name)
        if last is None or last.mark != mark:
            html = Markup(self._environment.get_template(template).render(values))  # noqa: S704 - templates escape
            last = self._last[name] = Part(mark, html)
        return last


class Live:
    """The streams that are open, and how they end."""

    def __init__(self) -> None:
        self._ending = asyncio.Event()
        self._open = 0

    def close(self) -> None:
        """End all streams; browsers come back by themselves."""
        self._ending.set()

    def stream(self, look: Callable[[], Awaitable[Mapping[str, Part]]]) -> Response:
        """Answer with a stream of what changes of a page."""
        if self._open >= MOST_STREAMS:
            return problem(503, "too many pages are open", {"retry-after": "30"})
        headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
        return StreamingResponse(self._events(look), media_type="text/event-stream", headers=headers)

    async def _events(self, look: Callable[[], Awaitable[Mapping[str, Part]]]) -> AsyncIterator[bytes]:
        sent: dict[str, str] = {}
        looked = False
        self._open += 1
        try:
            yield _RETRY
            while not self._ending.is_set():
                # of all our threads: the ledger is asked in others
                began = time.process_time()
                try:
                    parts = await look()
                except BellwireError:  # the ledger is in trouble: the page says so once it is out of it
                    parts = {}
                news = [event(name, part) for name, part in parts.items() if sent.get(name) != part.mark]
                sent |= {name: part.mark for name, part in parts.items()}
                yield b"".join(news) or _KEEP_ALIVE
                await self._rest(time.process_time() - began if looked else 0.0)
                looked = True  # what the first look of all has to make ready, no later one does
        finally:
            self._open -= 1

    async def _rest(self, took: float) -> None:
        try:
            async with asyncio.timeout(min(_MOST, max(_LEAST, took * _REST))):
                await self._ending.wait()
        except TimeoutError:
            return


def event(name: str, part: Part) -> bytes:
    """Return a part as an event: one line of JSON."""
    return b"event: part\ndata: " + orjson.dumps({"name": name, "mark": part.mark, "html": str(part.html)}) + b"\n\n"
