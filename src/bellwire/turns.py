"""Who may ask one vendor, when thousands want to: so many at once, the others as they came."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_LOOK_EVERY = 0.02  # seconds


class Turns(asyncio.Semaphore):
    """A turn is held while something is asked. Who has not begun yet waits in line, which takes no task."""

    def __init__(self, at_once: int) -> None:
        super().__init__(at_once)
        self._at_once = at_once
        self._line: deque[Callable[[], None]] = deque()
        self._begun = 0  # since the last look: they need not have come to hold a turn
        self._looking = False

    def line_up(self, begin: Callable[[], None]) -> None:
        """Call ``begin`` when there is room: at once, if there is.

        Nobody tells whether who began asks at all; it may wait for something else first. So there is room again whenever
        turns are free, not when one that was in line has had its own.
        """
        self._line.append(begin)
        if not self._looking:
            self._looking = True
            self._look()
        elif len(self._line) == 1:
            self._admit()

    def _look(self) -> None:
        self._begun = 0
        self._admit()
        self._looking = self._begun > 0 or bool(self._line)
        if self._looking:
            asyncio.get_running_loop().call_later(_LOOK_EVERY, self._look)

    def _admit(self) -> None:
        while self._line and self._begun < self._at_once and not self.locked():
            self._begun += 1
            self._line.popleft()()
