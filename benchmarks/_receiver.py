"""The receiver that all systems send to: notes when each alert first came, and answers at once."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import _wire
from _payloads import number_in

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

_TAKEN, _REFUSED = _wire.answer(), _wire.answer(status=b"503 Service Unavailable")


class Receiver:
    """What arrived, by number. ``refusing`` answers 503 and notes nothing."""

    def __init__(self) -> None:
        self.arrived: dict[int, float] = {}
        self.requests = 0
        self.refusing = False
        self._wanted = 0
        self._there = asyncio.Event()
        self.url = ""

    def respond(self, _method: bytes, _target: bytes, body: bytes, _transport: asyncio.Transport) -> bytes:
        if self.refusing:
            return _REFUSED
        self.requests += 1
        self.arrived.setdefault(number_in(body), time.perf_counter())
        if len(self.arrived) >= self._wanted:
            self._there.set()
        return _TAKEN

    def clear(self) -> None:
        self.arrived.clear()
        self.requests = 0

    async def wait_for(self, number: int, seconds: float) -> bool:
        """Wait until so many different alerts are there; False if time runs out."""
        self._wanted = number
        self._there.clear()
        if len(self.arrived) >= number:
            return True
        try:
            async with asyncio.timeout(seconds):
                await self._there.wait()
        except TimeoutError:
            return False
        return True


@asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    """Run the receiver."""
    receiver = Receiver()
    server, port = await _wire.serve(receiver.respond)
    receiver.url = f"http://127.0.0.1:{port}/hook"
    try:
        yield receiver
    finally:
        server.close()
