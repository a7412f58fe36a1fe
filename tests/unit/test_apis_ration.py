"""A vendor's limit of polls: shared by all that log in alike, and kept in every minute."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bellwire.apis.gate import Gate
from bellwire.apis.ration import Ration, Rations
from bellwire.config.schema import AccountConfig
from bellwire.errors import RateLimitedError
from fakes import FakeClock

LIMIT = 60


class TurningClock(FakeClock):
    """A clock that a test turns where nobody sleeps."""

    def turn(self, seconds: float) -> None:
        self._now += timedelta(seconds=seconds)


def account(**keys: Any) -> AccountConfig:
    given = {"name": "a", "api": "atp", "base_url": "http://atp.test", "authorization": {"credentials": "token"}}
    return AccountConfig.model_validate(given | keys)


@given(wishes=st.lists(st.floats(0, 90), max_size=300), limit=st.integers(5, 120), restart_at=st.integers(0, 300))
def test_no_minute_has_as_many_polls_as_the_limit_whenever_they_are_wished_for(
    wishes: list[float], limit: int, restart_at: int
) -> None:
    clock = TurningClock()
    ration = Ration(clock, limit)
    made: list[float] = []
    start = clock.now()
    for number, wait in enumerate(wishes):
        if number == restart_at:
            ration = Ration(clock, limit)
        clock.turn(wait / 10)
        clock.turn(ration.pause())
        ration.take()
        made.append((clock.now() - start).total_seconds())
    for first in made:
        assert sum(first <= at < first + 60 for at in made) < limit


def test_accounts_that_log_in_alike_share_a_ration() -> None:
    rations = Rations(FakeClock())
    mine = rations.of(account(), LIMIT)
    assert mine is not None
    assert rations.of(account(name="b", base_url="http://atp.test/", params={"project": "p"}), LIMIT) is mine
    assert rations.of(account(authorization={"credentials": "other"}), LIMIT) is not mine
    assert rations.of(account(base_url="http://other.test"), LIMIT) is not mine
    assert rations.of(account(), None) is None


async def test_after_a_pause_of_the_vendor_what_waited_does_not_burst() -> None:
    clock = FakeClock()
    gate, ration = Gate(clock), Ration(clock, LIMIT)
    made: list[float] = []
    start = clock.now()

    async def poll(error: Exception | None = None) -> None:
        async with gate.passage(ration):
            made.append((clock.now() - start).total_seconds())
            if error is not None:
                raise error

    with pytest.raises(RateLimitedError):
        await poll(RateLimitedError("slower", reason="http_429", retry_after=30))
    polls = [asyncio.ensure_future(poll()) for _ in range(60)]
    await clock.advance(29.9)
    assert made == [0]
    await clock.advance(200)
    await asyncio.gather(*polls)
    assert made[1] == 30
    for first in made:
        assert sum(first <= at < first + 60 for at in made) < LIMIT
