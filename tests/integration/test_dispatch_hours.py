"""An hour of failure, on a clock that a test turns: nothing dies of it, and everything arrives once it is over."""

from __future__ import annotations

import asyncio
import random
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from bellwire.channels.http_verdicts import of_status
from bellwire.dispatch import Dispatch, Lane
from bellwire.ledger import auditing
from bellwire.metrics import Metrics
from bellwire.model import Receipt
from makers import PAGER, a_policy, an_arrival

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from bellwire.ledger.ledger import Ledger
    from bellwire.model import Envelope, Message
    from fakes import FakeClock

HOUR = 3600.0
WAITING = 500


class Door:
    """Refuses everything with ``status`` until that is None; remembers when it was knocked at, and who came in."""

    def __init__(self, clock: FakeClock, status: int) -> None:
        self.status: int | None = status
        self.knocks: list[float] = []
        self.entered: list[str] = []
        self._clock = clock
        self._began = clock.now()

    def render(self, message: Message) -> bytes:
        return message.alerts[0].title.encode()

    async def send(self, envelope: Envelope) -> Receipt:
        if self.status is None:
            self.entered.append(envelope.delivery_id)
            return Receipt(detail="200")
        self.knocks.append((self._clock.now() - self._began).total_seconds())
        failure = of_status(self.status, {}, envelope.sent_at, "no")
        assert failure is not None
        raise failure


@pytest.fixture
async def served(ledger: Ledger, clock: FakeClock, request: pytest.FixtureRequest) -> AsyncIterator[Door]:
    door = Door(clock, request.param)
    pager = Dispatch(Lane(policy=a_policy(PAGER), channel=door, width=64), ledger, clock, Metrics(), random.Random(1))
    task = asyncio.create_task(pager.run())
    yield door
    pager.stop()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


@pytest.mark.parametrize("served", [401, 403, 404, 500, 503], indirect=True)
async def test_an_hour_of_refusals_is_outlived_by_everything_that_waits(
    served: Door, ledger: Ledger, clock: FakeClock
) -> None:
    await ledger.record([an_arrival(PAGER) for _ in range(WAITING)])
    async with asyncio.timeout(60):
        while not served.knocks or served.knocks[-1] < HOUR:
            await turn(ledger, clock, 30.0)
        # One at a time knocks, less and less often, and no more seldom than every five minutes.
        late = [knock for knock in served.knocks if knock > 0.5 * HOUR]
        assert len(late) <= 0.5 * HOUR / 300 + 4
        assert max(after - before for before, after in pairwise(late)) <= 300 + 30
        assert await states(ledger) == {"in_flight": WAITING}
        served.status = None
        while await states(ledger) != {"delivered": WAITING}:
            await turn(ledger, clock, 30.0)
    assert len(served.entered) == len(set(served.entered)) == WAITING


async def turn(ledger: Ledger, clock: FakeClock, seconds: float) -> None:
    """Let time pass, and what it wakes be written."""
    await clock.advance(seconds)
    for _ in range(3):
        await ledger.ping()


async def states(ledger: Ledger) -> dict[str, int]:
    audit = await ledger.ask(auditing.audit_ledger)
    assert audit["unaccounted"] == 0
    return {state: number for state, number in audit["states"].items() if number}
