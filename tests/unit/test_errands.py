"""What follows from something done holds up nobody, and its failures are logged."""

from __future__ import annotations

import asyncio

import structlog

from bellwire.errands import Errands
from fakes import settle


async def test_an_errand_is_done_once_what_it_follows_from_is_certain() -> None:
    errands, done = Errands("e"), asyncio.Event()

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
    errands, begun, ended = Errands("e"), asyncio.Event(), asyncio.Event()

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
    errands, done = Errands("e"), asyncio.Event()

    async def errand() -> None:
        done.set()

    await errands.end()
    errands.keep("a", errand)
    errands.start(["a"])
    await settle()

    assert not done.is_set()
