"""The process around the daemon."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest

from bellwire.cli.run import _reload

pytestmark = pytest.mark.timeout(20)


async def test_a_reload_that_breaks_in_a_way_nobody_thought_of_is_not_the_last() -> None:
    told: asyncio.Queue[str] = asyncio.Queue()

    class App:
        watched = dispatchers = ()
        breaks = True

        async def reload(self) -> None:
            if self.breaks:
                raise ValueError

    app, asked = App(), asyncio.Event()
    manager = SimpleNamespace(reloading=lambda: told.put_nowait("reloading"), ready=told.put_nowait)
    reloading = asyncio.create_task(_reload(cast("Any", app), cast("Any", manager), asked))
    asked.set()
    assert await told.get() == "reloading"
    assert (await told.get()).endswith("the last reload failed")
    app.breaks = False
    asked.set()
    assert await told.get() == "reloading"
    assert await told.get() == "accounts: 0, channels: 0"
    reloading.cancel()
    await asyncio.wait([reloading])
