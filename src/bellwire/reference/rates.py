"""How often users may ask: so many calls in any minute."""

from __future__ import annotations

import time
from collections import deque
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from bellwire.reference.store import Inbox

_MINUTE: Final = 60.0


class Rates:
    """The calls of the last minute, by inbox. ``monotonic`` is a clock that never steps."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._calls: dict[Inbox, deque[float]] = {}

    def take(self, inbox: Inbox, per_minute: int) -> float | None:
        """Count a call and return None, or return in how many seconds one is allowed again."""
        now = self._monotonic()
        calls = self._calls.setdefault(inbox, deque())
        while calls and calls[0] <= now - _MINUTE:
            calls.popleft()
        if len(calls) >= per_minute:
            return calls[0] + _MINUTE - now if calls else _MINUTE
        calls.append(now)
        return None
