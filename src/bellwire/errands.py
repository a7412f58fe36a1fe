"""Work that follows from something done, and may fail: it holds up nobody, is logged, and does not outlive its owner."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import structlog

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    Errand = Callable[[], Awaitable[None]]

log = structlog.get_logger(__name__)


class Errands:
    """Errands of one owner: kept until what they follow from is certain, then started. ``name`` names the tasks."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._kept: dict[str, Errand] = {}
        self._under_way: set[asyncio.Task[None]] = set()
        self._ended = False

    def keep(self, key: str, errand: Errand | None) -> None:
        """Keep an errand, if there is one, until it is started. A later one of the same key takes its place."""
        if errand is not None:
            self._kept[key] = errand

    def start(self, keys: Iterable[str]) -> None:
        """Start what is kept under these keys, unless it has ended."""
        if not self._kept or self._ended:
            return
        for key in keys:
            if (errand := self._kept.pop(key, None)) is not None:
                task = asyncio.create_task(self._run(errand), name=self._name)
                self._under_way.add(task)
                task.add_done_callback(self._under_way.discard)

    async def end(self) -> None:
        """Break off what is under way, and start nothing more."""
        self._ended = True
        tasks = list(self._under_way)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _run(self, errand: Errand) -> None:
        try:
            await errand()
        except Exception:
            log.exception("errand_failed", errand=self._name)
