"""Read marks over a real ledger, with a vendor that answers as it is told."""

from __future__ import annotations

import asyncio
import random
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, cast

import pytest

from bellwire.acknowledge import Acknowledge
from bellwire.demo.receivers.journal import Journal
from bellwire.errors import RejectedError, SourceError, UnauthorizedError
from bellwire.ledger import auditing
from bellwire.metrics import Metrics
from bellwire.model import MarkOutcome, MarkPolicy, MarkResult
from fakes import settle
from makers import VISION, an_arrival

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from bellwire.ledger.ledger import Ledger
    from bellwire.model import AccountKey
    from fakes import FakeClock


class ScriptedInbox(Journal[list[str]]):
    """Keeps what it was asked to mark; raises, or answers with these outcomes, before it confirms everything."""

    def __init__(self, *answers: SourceError | MarkOutcome) -> None:
        super().__init__()
        self._answers = list(answers)

    async def mark_read(self, upstream_ids: Sequence[str]) -> list[MarkResult]:
        self.add(list(upstream_ids))
        answer = self._answers.pop(0) if self._answers else MarkOutcome.CONFIRMED
        if isinstance(answer, SourceError):
            raise answer
        return [MarkResult(upstream_id=each, outcome=answer, detail="as told") for each in upstream_ids]


@asynccontextmanager
async def acknowledging(ledger: Ledger, clock: FakeClock, inbox: Any) -> AsyncIterator[Metrics]:
    metrics = Metrics()
    acknowledge = Acknowledge(VISION, inbox, ledger, clock, metrics, random.Random(1))

    def on_marks_owed(account: AccountKey) -> None:
        assert account == VISION
        acknowledge.wake()

    ledger.on_marks_owed = on_marks_owed
    acknowledge.wake()
    try:
        yield metrics
    finally:
        ending = acknowledge.stop()
        await asyncio.gather(*ending, return_exceptions=True)


async def owe_mark(ledger: Ledger, number: int = 1) -> list[str]:
    """Record alerts whose marks are due at once."""
    arrivals = [an_arrival(mark=MarkPolicy.HANDLED) for _ in range(number)]
    await ledger.record(arrivals)
    return [arrival.alert.upstream_id for arrival in arrivals]


async def marks(ledger: Ledger, clock: FakeClock, expected: dict[str, int]) -> None:
    """Turn the clock until the ledger says so."""
    async with asyncio.timeout(10):
        while True:
            audit = await ledger.ask(auditing.audit_ledger)
            await ledger.ping()  # whoever waited for the commit that we saw has heard of it before us
            if {state: number for state, number in audit["read_marks"].items() if number} == expected:
                return
            await clock.advance(0.1)


async def test_marks_are_made_in_batches_and_confirmed(ledger: Ledger, clock: FakeClock) -> None:
    inbox = ScriptedInbox()
    owed = await owe_mark(ledger, 250)
    async with acknowledging(ledger, clock, inbox) as metrics:
        await marks(ledger, clock, {"confirmed": 250})
    assert sorted(each for batch in inbox.messages for each in batch) == sorted(owed)
    assert max(len(batch) for batch in inbox.messages) == 100
    counted = {"account": "vision", "outcome": "confirmed"}
    assert metrics.registry.get_sample_value("bellwire_read_marks_total", counted) == 250


@pytest.mark.parametrize(
    "trouble",
    [
        SourceError("down", reason="http_503"),
        UnauthorizedError("401", reason="http_401"),
        MarkOutcome.RETRY,
    ],
)
async def test_a_mark_is_made_again_until_it_is_confirmed(
    ledger: Ledger, clock: FakeClock, trouble: SourceError | MarkOutcome
) -> None:
    inbox = ScriptedInbox(trouble, trouble)
    (owed,) = await owe_mark(ledger)
    async with acknowledging(ledger, clock, inbox):
        await marks(ledger, clock, {"confirmed": 1})
    assert inbox.messages == [[owed]] * 3


@pytest.mark.parametrize(
    "trouble", [RejectedError("422", reason="http_422", status=422), MarkOutcome.FAILED], ids=["rejected", "failed"]
)
async def test_a_mark_that_fails_for_good_is_not_repeated_for_ever(
    ledger: Ledger, clock: FakeClock, trouble: SourceError | MarkOutcome
) -> None:
    inbox = ScriptedInbox(trouble)
    await owe_mark(ledger)
    async with acknowledging(ledger, clock, inbox):
        await marks(ledger, clock, {"failed": 1})
        await clock.advance(3600)
    assert len(inbox.messages) == 1


async def test_an_answer_that_names_nobody_confirms_nothing(ledger: Ledger, clock: FakeClock) -> None:
    class Silent(ScriptedInbox):
        async def mark_read(self, upstream_ids: Sequence[str]) -> list[MarkResult]:
            return await super().mark_read(upstream_ids) if self.messages else self.silently(upstream_ids)

        def silently(self, upstream_ids: Sequence[str]) -> list[MarkResult]:
            self.add(list(upstream_ids))
            return []

    inbox = Silent()
    await owe_mark(ledger)
    async with acknowledging(ledger, clock, inbox):
        await marks(ledger, clock, {"confirmed": 1})
    assert len(inbox.messages) == 2


async def test_what_falls_due_later_needs_no_task_meanwhile(ledger: Ledger, clock: FakeClock) -> None:
    inbox = ScriptedInbox()
    async with acknowledging(ledger, clock, inbox):
        await marks(ledger, clock, {})
        (first,) = await owe_mark(ledger)
        await marks(ledger, clock, {"confirmed": 1})
        await settle()
        assert not [task for task in asyncio.all_tasks() if task.get_name() == f"marks {VISION.name}"]
        (second,) = await owe_mark(ledger)
        await marks(ledger, clock, {"confirmed": 2})
    assert inbox.messages == [[first], [second]]


async def test_one_that_is_stopped_stays_so_though_its_alarm_is_just_ringing(ledger: Ledger, clock: FakeClock) -> None:
    inbox = ScriptedInbox()
    acknowledge = Acknowledge(VISION, cast("Any", inbox), ledger, clock, Metrics(), random.Random(1))
    await owe_mark(ledger)
    assert acknowledge.stop() == []
    acknowledge.wake()
    await ledger.ping()
    await clock.advance(1)
    assert inbox.messages == []
