"""The last hour in figures: alerts a minute, and how fast each channel's messages are confirmed. In memory, bounded."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from bellwire.errors import BellwireError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from bellwire.web.view import View

SERIES = ("received", "delivered", "suppressed", "dead")
"""What is counted of alerts, in the words of the ledger's totals."""

MINUTES = 60
EVERY = 10.0
"""Seconds between two looks."""

_PACED = timedelta(minutes=5)
_MINUTE = timedelta(minutes=1)

Answer = dict[str, Any]


class LastHour:
    """Remembers what it is given. Times are the wall's; one that steps back begins anew."""

    def __init__(self) -> None:
        self._minutes: deque[tuple[datetime, dict[str, int]]] = deque(maxlen=MINUTES + 1)
        self._totals: Mapping[str, int] | None = None
        self._confirmed: deque[tuple[datetime, Mapping[str, tuple[float, float]]]] = deque()

    def note(self, now: datetime, counts: Answer) -> None:
        """Take in what `bellwire.web.view.InsightView.counts` told at ``now``."""
        minute = now.replace(second=0, microsecond=0)
        if self._minutes and minute < self._minutes[-1][0]:
            self._minutes.clear()
            self._confirmed.clear()
        if not self._minutes or self._minutes[-1][0] != minute:
            self._minutes.append((minute, dict.fromkeys(SERIES, 0)))
        totals = counts["totals"]
        if self._totals is not None:
            bucket = self._minutes[-1][1]
            for name in SERIES:  # a replay takes from the dead: that is no alert that came to life this minute
                bucket[name] += max(0, totals.get(f"alerts.{name}", 0) - self._totals.get(f"alerts.{name}", 0))
        self._totals = totals
        self._confirmed.append((now, counts["confirmed"]))
        while now - self._confirmed[0][0] > _PACED:
            self._confirmed.popleft()

    def minutes(self, now: datetime) -> list[Answer]:
        """Return the last hour's minutes, the oldest first: ``at``, and each of `SERIES`; minutes unseen are zero."""
        seen = dict(self._minutes)
        last = now.replace(second=0, microsecond=0)
        every = [last - _MINUTE * back for back in range(MINUTES - 1, -1, -1)]
        return [{"at": at} | seen.get(at, dict.fromkeys(SERIES, 0)) for at in every]

    def pace(self, receiver: str, channel: str) -> Answer:
        """Return ``rate``, confirmed messages a minute over the last five, and ``latency``, their mean in seconds.

        ``channel`` is as metrics name it. Both are None while nothing is known.
        """
        if len(self._confirmed) < 2:  # noqa: PLR2004 - a difference takes two
            return {"rate": None, "latency": None}
        name = f"{receiver}/{channel}"
        (began, first), (ended, last) = self._confirmed[0], self._confirmed[-1]
        number, seconds = (b - a for a, b in zip(first.get(name, (0, 0)), last.get(name, (0, 0)), strict=True))
        minutes = (ended - began) / _MINUTE
        return {"rate": number / minutes if minutes else None, "latency": seconds / number if number > 0 else None}


async def keep(hour: LastHour, view: View, wall: Callable[[], datetime]) -> None:
    """Look again and again, for as long as the daemon runs."""
    while True:
        with contextlib.suppress(BellwireError):  # a ledger in trouble tells so elsewhere
            hour.note(wall(), await view.insight.counts())
        await asyncio.sleep(EVERY)
