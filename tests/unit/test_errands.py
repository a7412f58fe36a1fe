"""What follows from something done holds up nobody, and its failures are logged."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import structlog

from bellwire.errands import Errands
from fakes import FakeClock, settle

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


async def unpaused(_until: datetime) -> None:
    raise AssertionError


def errands_of() -> Errands:
    return Errands("e", FakeClock(), unpaused)


async def test_an_errand_is_done_once_what_it_follows_from_is_certain() -> None:
    errands, done = errands_of(), asyncio.Event()

    async def errand() -> None:
        done.set()

    errands.keep("a", errand)
    errands.keep("b", None)
    errands.start(["b", "c"])
    assert not done.is_set()
    errands.start(["a"])
    await asyncio.wait_for(done.wait(), 5)
    await errands.end()


async def test_one_that_fails_is_logged_and_one_that_hangs_is_broken_off() -> None:
    errands, begun, ended = errands_of(), asyncio.Event(), asyncio.Event()

    async def fails() -> None:
        raise ValueError

    async def hangs() -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    with structlog.testing.capture_logs() as logs:
        errands.keep("a", fails)
        errands.keep("b", hangs)
        errands.start(["a", "b"])
        await asyncio.wait_for(begun.wait(), 5)
        await errands.end()

    assert [log["event"] for log in logs] == ["errand_failed"]
    assert ended.is_set()


async def test_after_the_end_nothing_is_started() -> None:
    errands, done = errands_of(), asyncio.Event()

    async def errand() -> None:
        done.set()

    await errands.end()
    errands.keep("a", errand)
    errands.start(["a"])
    await settle()

    assert not done.is_set()


async def test_one_that_is_put_off_pauses_its_owner_and_is_done_again_then() -> None:
    clock, pauses, answers, begun = FakeClock(), list[datetime](), [5.0, 2.0, None], list[datetime]()

    async def paused(until: datetime) -> None:
        pauses.append(until)

    async def errand() -> float | None:
        begun.append(clock.now())
        return answers.pop(0)

    start = clock.now()
    errands = Errands("e", clock, paused)
    errands.keep("a", errand)
    errands.start(["a"])
    await settle()
    await clock.advance(4.9)
    assert begun == [start]
    await clock.advance(0.1)
    await clock.advance(2)
    assert begun == [start + timedelta(seconds=seconds) for seconds in (0, 5, 7)]
    assert pauses == [start + timedelta(seconds=seconds) for seconds in (5, 7)]
    await errands.end()


async def test_a_pause_of_its_owner_holds_for_it_too() -> None:
    clock, done = FakeClock(), asyncio.Event()

    async def errand() -> None:
        done.set()

    errands = Errands("e", clock, unpaused)
    errands.pause(clock.now() + timedelta(seconds=10))
    errands.keep("a", errand)
    errands.start(["a"])
    await settle()
    await clock.advance(9.9)
    assert not done.is_set()
    await clock.advance(0.1)
    await asyncio.wait_for(done.wait(), 5)
    await errands.end()


async def test_errands_are_done_one_after_the_other() -> None:
    errands, begun, go_on = errands_of(), list[int](), asyncio.Event()

    def number(which: int) -> Callable[[], Awaitable[None]]:
        async def errand() -> None:
            begun.append(which)
            await go_on.wait()

        return errand

    for which in (1, 2):
        errands.keep(str(which), number(which))
        errands.start([str(which)])
    await settle()
    assert begun == [1]
    go_on.set()
    await settle()
    assert begun == [1, 2]
    await errands.end()


async def test_those_that_are_put_off_again_and_again_are_dropped() -> None:
    clock, tries = FakeClock(), list[float]()

    async def paused(_until: datetime) -> None:
        pass

    async def errand() -> float | None:
        tries.append(1.0)
        return 1.0

    errands = Errands("e", clock, paused)
    errands.keep("a", errand)
    errands.keep("b", errand)
    with structlog.testing.capture_logs() as logs:
        errands.start(["a", "b"])
        for _ in range(20):
            await settle()
            await clock.advance(1)
    assert len(tries) == 6  # the other side has had enough of the first one: the second asks once
    assert [log["event"] for log in logs] == ["errand_dropped"] * 2
