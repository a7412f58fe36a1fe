"""The list goes before read marks, which would move its rows from page to page; but not for ever."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from bellwire.ports import Clock

_MOST = 10.0  # seconds that marks wait; then they need wait no more for as long


class Precedence:
    """Who goes first at one account's vendor, whose list may take long, or be read again and again.

    Then marks wait for half of the time at most, however many lists follow one another.
    """

    __slots__ = ("_clock", "_free_until", "_read", "_waited")

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._read: asyncio.Event | None = None  # set once the list is not read any more; None: it is not
        self._waited = 0.0
        self._free_until: datetime | None = None

    @contextmanager
    def listing(self) -> Iterator[None]:
        """Go first, while this is entered."""
        self._read = read = asyncio.Event()
        try:
            yield
        finally:
            self._read = None
            read.set()

    async def marking(self) -> None:
        """Let the list go first."""
        if self._read is None:
            self._waited = 0.0
            return
        began = self._clock.now()
        if self._free_until is not None and began < self._free_until:
            return
        await self._clock.wait(self._read, _MOST - self._waited)
        now = self._clock.now()
        self._waited += (now - began).total_seconds()
        if self._waited >= _MOST:
            self._waited = 0.0
            self._free_until = now + timedelta(seconds=_MOST)
