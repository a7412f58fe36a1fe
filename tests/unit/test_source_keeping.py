"""Positions of many sources, kept together."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, cast

import pytest

from bellwire.errors import LedgerError
from bellwire.sources.keeping import keep_positions
from fakes import FakeClock

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from bellwire.sources.source import Source


class Counted:
    """As much of a source as is asked to save itself."""

    def __init__(self, error: Exception | None = None) -> None:
        self.saved = 0
        self.error = error

    async def save(self) -> None:
        self.saved += 1
        if self.error is not None:
            raise self.error


@asynccontextmanager
async def keeping(sources: list[Any], clock: FakeClock) -> AsyncIterator[None]:
    task = asyncio.create_task(keep_positions(lambda: cast("list[Source]", sources), clock))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


async def test_every_source_is_saved_each_minute() -> None:
    clock, sources = FakeClock(), [Counted() for _ in range(3)]
    async with keeping(sources, clock):
        await clock.advance(59)
        assert [source.saved for source in sources] == [0, 0, 0]
        await clock.advance(61)
    assert [source.saved for source in sources] == [2, 2, 2]


async def test_of_thousands_each_has_its_turn() -> None:
    clock, sources = FakeClock(), [Counted() for _ in range(2500)]
    async with keeping(sources, clock):
        for _ in range(3):
            await clock.advance(60)
        assert [source.saved for source in sources] == [1] * 2500
        await clock.advance(60)
    assert [source.saved for source in sources] == [2] * 1000 + [1] * 1500


@pytest.mark.parametrize("error", [LedgerError("no"), KeyError("broken")])
async def test_one_that_cannot_be_saved_keeps_no_other_from_it(error: Exception) -> None:
    clock, sources = FakeClock(), [Counted(error), Counted()]
    async with keeping(sources, clock):
        await clock.advance(120)
    assert [source.saved for source in sources] == [2, 2]
