"""The audit that runs by itself: in slices, with pauses, and again soon where something is wrong."""

from __future__ import annotations

import asyncio
import math
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from structlog.testing import capture_logs

from bellwire.auditor import EVERY, Auditor
from bellwire.errors import LedgerError
from bellwire.ledger.auditing import balance_of
from bellwire.metrics import Metrics
from bellwire.records import AuditSlice
from fakes import settle

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from bellwire.auditor import Balance
    from fakes import FakeClock


class Slices:
    """A ledger of some slices, each of which takes a second to audit."""

    def __init__(self, clock: FakeClock, count: int = 3) -> None:
        self.asked: list[str] = []
        self.at: list[float] = []
        self.faulty = 0
        self.broken: Exception | None = None
        self._clock = clock
        self._count = count
        self._start = clock.now()

    async def audit_slice(self, after: str) -> AuditSlice:
        self.asked.append(after)
        self.at.append((self._clock.now() - self._start).total_seconds())
        await self._clock.sleep(1)
        if self.broken:
            raise self.broken
        number = int(after or 0) + 1
        return AuditSlice(
            last=str(number) if number < self._count else None,
            received=10 * self._count,
            states={"delivered": 10},
            suppressed={},
            read_marks={},
            faults={"settled, but still owed": (self.faulty, ("one",))} if self.faulty else {},
            faulty=self.faulty,
        )

    def balance_of(self, slices: Sequence[AuditSlice]) -> Balance:
        return balance_of(slices)


@asynccontextmanager
async def auditing(ledger: Slices, clock: FakeClock, metrics: Metrics) -> AsyncIterator[Auditor]:
    auditor = Auditor(ledger, clock, metrics)
    task = asyncio.create_task(auditor.run())
    await settle()
    try:
        yield auditor
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def unaccounted(metrics: Metrics) -> float:
    value = metrics.registry.get_sample_value("bellwire_unaccounted_alerts")
    assert value is not None
    return value


async def test_it_goes_through_the_ledger_in_slices_and_rests_ten_times_as_long_between(clock: FakeClock) -> None:
    ledger, metrics = Slices(clock), Metrics()
    async with auditing(ledger, clock, metrics) as auditor:
        assert math.isnan(unaccounted(metrics))  # nothing is known yet
        await clock.advance(23)
        assert (ledger.asked, ledger.at) == (["", "1", "2"], [0.0, 11.0, 22.0])
        assert unaccounted(metrics) == 0
        assert auditor.last is not None
        assert auditor.last["states"]["delivered"] == 30
        await clock.advance(EVERY - 1)
        assert len(ledger.asked) == 3
        await clock.advance(1)
        assert len(ledger.asked) == 4


async def test_who_asks_for_an_audit_gets_it_without_pauses(clock: FakeClock) -> None:
    ledger = Slices(clock)
    asked = asyncio.create_task(Auditor(ledger, clock, Metrics()).audit())
    await clock.advance(3)
    assert (await asked)["received"] == 30
    assert ledger.at == [0.0, 1.0, 2.0]


async def test_what_is_found_is_logged_once_and_looked_at_again_within_a_minute(clock: FakeClock) -> None:
    ledger, metrics = Slices(clock, count=1), Metrics()
    ledger.faulty = 2
    with capture_logs() as logs:
        async with auditing(ledger, clock, metrics) as auditor:
            await clock.advance(1 + 60 + 1)
            assert len(ledger.asked) == 2
            assert unaccounted(metrics) == 2
            ledger.faulty = 0
            await clock.advance(60 + 1)
            assert unaccounted(metrics) == 0
            assert auditor.last is not None
            assert auditor.last["faults"] == []
    assert [log["event"] for log in logs] == ["alerts_unaccounted"]


async def test_an_audit_that_fails_says_that_nothing_is_known_and_is_repeated(clock: FakeClock) -> None:
    ledger, metrics = Slices(clock, count=1), Metrics()
    async with auditing(ledger, clock, metrics):
        await clock.advance(1)
        for error in (LedgerError("cannot be read"), ValueError()):
            ledger.broken = error
            await clock.advance(EVERY + 1)
            assert math.isnan(unaccounted(metrics))
            ledger.broken = None
            await clock.advance(61)
            assert unaccounted(metrics) == 0
