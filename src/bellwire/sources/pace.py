"""How long to wait: pure, with randomness as an argument. All times are in seconds."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random


class Backoff:
    """Pauses that double from ``first`` to ``most`` until `reset`, jittered so that many do not come together."""

    __slots__ = ("_base", "_first", "_most", "_rng")

    def __init__(self, first: float, most: float, rng: random.Random) -> None:
        self._first = first
        self._most = most
        self._rng = rng
        self._base = first

    def reset(self) -> None:
        """Begin again at the first pause."""
        self._base = self._first

    def next(self) -> float:
        """Return the next pause: between half of it and all of it."""
        pause = self._base * self._rng.uniform(0.5, 1.0)
        self._base = min(self._base * 2, self._most)
        return pause


class Pace:
    """The pause between two looks at a list: ``least`` after activity, doubling to ``most`` while idle."""

    __slots__ = ("_base", "_least", "_most", "_rng")

    def __init__(self, least: float, most: float, rng: random.Random) -> None:
        self._least = least
        self._most = max(least, most)
        self._rng = rng
        self._base = least

    def next(self, *, active: bool) -> float:
        """Return the pause after a look that found something, or nothing."""
        self._base = self._least if active else min(self._base * 2, self._most)
        return max(self._least, self._base * self._rng.uniform(0.85, 1.0))
