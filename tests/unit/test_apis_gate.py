"""Who waits for a vendor that asked for a pause, or refuses credentials, and for how long."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest

from bellwire.apis.gate import Gate, VendorPause
from bellwire.apis.ration import Rations
from bellwire.config.schema import AccountConfig
from bellwire.errors import RateLimitedError, SourceError, UnauthorizedError
from fakes import FakeClock, settle

if TYPE_CHECKING:
    from datetime import datetime

LIMITED = RateLimitedError("slower", reason="http_429", retry_after=100)
VAGUE = RateLimitedError("slower", reason="http_429")
DENIED = UnauthorizedError("no", reason="http_401")


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


async def call(gate: Gate, error: SourceError | None = None) -> None:
    async with gate.passage():
        if error is not None:
            raise error


async def failed(gate: Gate, error: SourceError) -> None:
    with pytest.raises(type(error)):
        await call(gate, error)


async def waited(clock: FakeClock, gate: Gate, error: SourceError | None = None) -> float:
    """Make a call and turn the clock until it is made; return the seconds that took."""
    began: datetime = clock.now()
    waiting = asyncio.ensure_future(call(gate, error))
    await settle()
    while not waiting.done():
        await clock.advance(1)
    if error is None:
        waiting.result()
    else:
        assert waiting.exception() is error
    return (clock.now() - began).total_seconds()


def account(**keys: Any) -> AccountConfig:
    return AccountConfig.model_validate({"name": "a", "api": "elan", "base_url": "http://elan.test", **keys})


async def test_those_who_share_a_login_wait_for_the_vendor_together(clock: FakeClock) -> None:
    rations = Rations(clock)
    first = Gate(clock, rations.pause_of(account()))
    second = Gate(clock, rations.pause_of(account(name="b", base_url="http://elan.test/")))
    other = Gate(clock, rations.pause_of(account(authorization={"credentials": "other"})))
    await failed(first, LIMITED)
    assert await waited(clock, other) == 0
    assert await waited(clock, second) == 100


async def test_refused_credentials_hold_up_one_account_alone(clock: FakeClock) -> None:
    pause = VendorPause(clock)
    first, second = Gate(clock, pause), Gate(clock, pause)
    await failed(first, DENIED)
    assert await waited(clock, second) == 0
    assert await waited(clock, first) == 10


async def test_after_refused_credentials_pauses_double_to_five_minutes(clock: FakeClock) -> None:
    gate = Gate(clock)
    await failed(gate, DENIED)
    assert [await waited(clock, gate, DENIED) for _ in range(7)] == [10, 20, 40, 80, 160, 300, 300]
    assert await waited(clock, gate) == 300
    await failed(gate, DENIED)
    assert await waited(clock, gate) == 10


async def test_a_vendor_that_names_no_time_is_let_rest_longer_each_time(clock: FakeClock) -> None:
    gate = Gate(clock)
    await failed(gate, VAGUE)
    assert [await waited(clock, gate, VAGUE) for _ in range(3)] == [5, 10, 20]
    assert await waited(clock, gate) == 40
    await failed(gate, VAGUE)
    assert await waited(clock, gate) == 5


async def test_a_shorter_wish_does_not_shorten_a_longer_one(clock: FakeClock) -> None:
    gate, answered = Gate(clock), asyncio.Event()

    async def under_way(error: SourceError) -> None:
        async with gate.passage():
            await answered.wait()
            raise error

    errors = [LIMITED, RateLimitedError("slower", reason="http_429", retry_after=1)]
    calls = [asyncio.ensure_future(under_way(error)) for error in errors]
    await settle()
    answered.set()
    assert await asyncio.gather(*calls, return_exceptions=True) == errors
    assert await waited(clock, gate) == 100


async def test_why_calls_would_wait_is_told_without_waiting(clock: FakeClock) -> None:
    gate = Gate(clock)
    assert gate.hindrance is None
    await failed(gate, LIMITED)
    assert gate.hindrance == "the vendor asked to be left alone, for 100 s from now"
    await clock.advance(100)
    assert gate.hindrance is None
    await failed(gate, DENIED)
    assert gate.hindrance == "the vendor refuses the account's credentials, and is asked again 10 s from now"
    await clock.advance(10)
    assert gate.hindrance is None


async def test_who_waits_for_a_turn_does_not_go_against_a_pause_that_was_asked_for_meanwhile(clock: FakeClock) -> None:
    gate, turn, went = Gate(clock), asyncio.Semaphore(1), asyncio.Event()

    async def call() -> None:
        async with gate.passage(turn=turn):
            went.set()

    with suppress(RateLimitedError):
        async with gate.passage(turn=turn):
            waiting = asyncio.create_task(call())
            await settle()
            raise LIMITED
    await clock.advance(99)
    assert not went.is_set()
    assert not turn.locked()
    await clock.advance(1)
    assert went.is_set()
    await waiting
    assert not turn.locked()


async def test_a_call_that_is_cancelled_while_it_waits_for_its_turn_holds_up_nobody(clock: FakeClock) -> None:
    gate, turn = Gate(clock), asyncio.Semaphore(1)

    async def call() -> None:
        async with gate.passage(turn=turn):
            pass

    async with gate.passage(turn=turn):
        waiting = asyncio.create_task(call())
        await settle()
        waiting.cancel()
        await asyncio.wait([waiting])
    async with asyncio.timeout(10):
        await call()
