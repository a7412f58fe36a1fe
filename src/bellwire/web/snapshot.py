"""What several people look at, asked for once."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Taken(Generic[T]):
    at: float
    value: T


class Snapshot(Generic[T]):
    """Remembers an answer for ``seconds``; who asks meanwhile shares it, who asks while it is fetched waits for it."""

    def __init__(
        self, fetch: Callable[[], Awaitable[T]], seconds: float, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._fetch = fetch
        self._seconds = seconds
        self._monotonic = monotonic
        self._lock = asyncio.Lock()
        self._taken: _Taken[T] | None = None

    async def get(self) -> T:
        """Return the answer, at most ``seconds`` old."""
        async with self._lock:
            if self._taken is None or self._monotonic() - self._taken.at >= self._seconds:
                began = self._monotonic()
                self._taken = _Taken(began, await self._fetch())
            return self._taken.value
