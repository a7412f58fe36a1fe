"""A vendor's notification API, as much of it as is called: Visual Layer with its stream, ELAN with its pages.

Newest items are listed first, as both vendors do. `Vendor.left` says when each item left the vendor for the first time.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from itertools import islice
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import _wire
import orjson
from _payloads import elan, number_in, visual_layer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

_STREAM = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-store\r\n\r\n: hello\n\n"
_MARKED_ONE = _wire.answer(b'{"success":true}')
_IN_A_WRITE = 200


class Vendor:
    """Unread items, and what became of them."""

    def __init__(self) -> None:
        self.unread: dict[int, None] = {}
        self.left: dict[int, float] = {}
        self.marks = 0  # that were made
        self.marked_at = 0.0  # the last of them
        self.streams: list[asyncio.Transport] = []
        self.pages = 0
        self._all_marked = asyncio.Event()
        self._templates = {b"visual_layer": visual_layer(), b"elan": elan()}

    def put(self, numbers: Iterable[int]) -> None:
        """Have these items; what streams has them at once."""
        numbers = list(numbers)
        self.unread.update(dict.fromkeys(numbers))
        self._all_marked.clear()
        self.streams = [stream for stream in self.streams if not stream.is_closing()]
        item = self._templates[b"visual_layer"].item
        for start in range(0, len(numbers) if self.streams else 0, _IN_A_WRITE):
            some = numbers[start : start + _IN_A_WRITE]
            events = b"".join([b"data: %b\n\n" % item(number) for number in some])
            self.left.update(dict.fromkeys(some, time.perf_counter()))
            for stream in self.streams:
                stream.write(events)

    def clear(self) -> None:
        self.unread.clear()
        self.left.clear()
        self.marks = self.pages = 0

    async def all_marked(self, seconds: float) -> bool:
        """Wait until nothing is unread; False if time runs out."""
        try:
            async with asyncio.timeout(seconds):
                while self.unread:
                    await self._all_marked.wait()
        except TimeoutError:
            return False
        return True

    def respond(self, method: bytes, target: bytes, body: bytes, transport: asyncio.Transport) -> bytes:
        """Answer ``/visual_layer/…`` and ``/elan/…``."""
        name = target[1 : target.find(b"/", 1)]
        if method == b"POST":
            return self._mark(target, body)
        if target.endswith(b"/stream"):
            self.streams.append(transport)
            return _STREAM
        if b"/unread" in target and b"?" not in target:
            return _wire.answer(b'{"unread_count":%d}' % len(self.unread))
        return self._page(name, target)

    def _mark(self, target: bytes, body: bytes) -> bytes:
        numbers = (
            [number_in(each.encode()) for each in orjson.loads(body)["notification_ids"]]
            if body
            else [number_in(target)]
        )
        known = len(self.unread)
        for number in numbers:
            self.unread.pop(number, None)
        marked = known - len(self.unread)
        self.marks += len(numbers)
        self.marked_at = time.perf_counter()
        if not self.unread:
            self._all_marked.set()
        return _wire.answer(b'{"marked_count":%d}' % marked) if body else _MARKED_ONE

    async def keep_alive(self, seconds: float) -> None:
        """Send each stream a comment so often, spread over the time, until cancelled."""
        while True:
            streams = list(self.streams)
            for at, stream in enumerate(streams):
                stream.write(b": still here\n\n")
                if at % 10 == 0:
                    await asyncio.sleep(seconds * 10 / len(streams))
            await asyncio.sleep(0.1)

    def _page(self, name: bytes, target: bytes) -> bytes:
        query = parse_qs(urlsplit(target.decode()).query)
        offset, limit = int(query["offset"][0]), int(query["limit"][0])
        numbers = list(islice(reversed(self.unread), offset, offset + limit))
        total = len(self.unread)
        more = b"true" if offset + len(numbers) < total else b"false"
        now = time.perf_counter()
        for number in numbers:
            self.left.setdefault(number, now)
        self.pages += 1
        item = self._templates[name].item
        return _wire.answer(
            b'{"notifications":[%b],"total":%d,"unread_count":%d,"has_more":%b}'
            % (b",".join([item(number) for number in numbers]), total, total, more)
        )


@asynccontextmanager
async def vending() -> AsyncIterator[tuple[Vendor, str]]:
    """Run a vendor; yield it and its address."""
    vendor = Vendor()
    server, port = await _wire.serve(vendor.respond)
    try:
        yield vendor, f"http://127.0.0.1:{port}"
    finally:
        server.close()
