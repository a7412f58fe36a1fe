"""Thousands of accounts begin a portion at a time, and end together."""

from __future__ import annotations

import asyncio
import random
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, cast

import pytest

from bellwire.config.schema import AccountConfig
from bellwire.errors import SourceError
from bellwire.metrics import Metrics
from bellwire.model import AccountKey
from bellwire.records import DueMarks, Position
from bellwire.sources.source import Surroundings
from bellwire.watches import Watches
from fake_inbox import FakeInbox
from fakes import FakeClock, settle

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from bellwire.apis.inbox import HttpInbox
    from bellwire.ledger.ledger import Ledger
    from bellwire.ports import Intake


class EmptyLedger:
    """Keeps nothing, and owes no marks."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.begun: list[str] = []
        self.broken = False

    async def position(self, account: AccountKey) -> Position:
        self.begun.append(account.name)
        return Position()

    async def save_position(self, account: AccountKey, position: Position) -> None:
        del account, position

    async def due_marks(self, account: AccountKey, limit: int) -> DueMarks:
        del account, limit
        return DueMarks(marks=(), next_due=None)


class NoIntake:
    async def caught_up(self, account: AccountKey) -> None:
        del account


class Scene:
    def __init__(self) -> None:
        self.clock = FakeClock()
        self.ledger = EmptyLedger(self.clock)
        around = Surroundings(clock=self.clock, metrics=Metrics(), rng=random.Random(1))
        self.watches = Watches(cast("Ledger", self.ledger), cast("Intake", NoIntake()), around, dry=False)

    def add(self, number: int, error: SourceError | None = None, **keys: Any) -> None:
        for at in range(number):
            name = f"a{at}"
            account = AccountConfig.model_validate({"name": name, "api": "x", "base_url": "http://x.test", **keys})
            inbox = FakeInbox(self.clock)
            inbox.list_error = inbox.stream_error = error
            self.watches.add(AccountKey(name=name, base_url=account.base_url), account, cast("HttpInbox", inbox))
        self.watches.begin()


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    async with running(Scene()) as made:
        yield made


@asynccontextmanager
async def running(scene: Scene) -> AsyncIterator[Scene]:
    task = asyncio.create_task(scene.watches.run())
    await settle(2)
    try:
        yield scene
    finally:
        task.cancel()
        await asyncio.wait([task])
        assert all(each.done() for watch in scene.watches.by_key.values() for each in watch.tasks)


async def test_the_next_portion_begins_once_the_last_has_read_its_lists(scene: Scene) -> None:
    scene.add(450)
    await settle(1)
    assert len(scene.ledger.begun) == 200
    await scene.clock.advance(0.1)
    assert len(scene.ledger.begun) == 450
    assert scene.watches.ended == []


async def test_accounts_that_cannot_be_reached_hold_up_nobody(scene: Scene) -> None:
    scene.add(250, SourceError("down", reason="connect"))
    await scene.clock.advance(0.1)
    assert len(scene.ledger.begun) == 250


async def test_an_account_that_is_taken_back_before_its_turn_never_begins(scene: Scene) -> None:
    scene.add(201)
    await scene.watches.remove(AccountKey(name="a200", base_url="http://x.test"))
    await scene.clock.advance(10)
    assert "a200" not in scene.ledger.begun
    assert len(scene.watches.sources) == 200


async def test_a_paused_account_is_there_and_does_nothing(scene: Scene) -> None:
    scene.add(1, paused=True)
    await scene.clock.advance(10)
    assert scene.ledger.begun == []
    assert len(scene.watches.sources) == 1
    assert scene.watches.ended == []


async def test_what_ends_a_watch_that_should_go_on_is_raised() -> None:
    scene = Scene()
    running = asyncio.create_task(scene.watches.run())
    await settle(2)
    scene.add(1)
    (watch,) = scene.watches.by_key.values()
    broken = asyncio.create_task(_fail())
    watch.tasks.append(broken)
    broken.add_done_callback(scene.watches._on_end)  # noqa: SLF001  # none of ours raises: that is what this guards
    with pytest.raises(KeyError):
        await running
    assert all(task.done() for task in watch.tasks)


async def _fail() -> None:
    raise KeyError
