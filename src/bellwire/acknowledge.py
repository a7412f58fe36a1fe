"""The third arrow: from the ledger back to the source. What is settled as its account's policy wants is marked as read."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

import structlog

from bellwire.errors import RejectedError, SourceError
from bellwire.model import MarkOutcome, MarkResult
from bellwire.records import DueMarks, MarkRecord

if TYPE_CHECKING:
    import random
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from bellwire.metrics import Metrics
    from bellwire.model import AccountKey
    from bellwire.ports import AcknowledgeLedger, Alarm, Clock, Inbox
    from bellwire.records import DueMark

_BATCH = 100
_INITIAL_BACKOFF = 1.0  # seconds
_MAX_BACKOFF = 300.0
_PAUSES_AFTER_ERROR = (1.0, 2.0, 5.0, 15.0, 60.0)  # seconds, the last one again and again

log = structlog.get_logger(__name__)


class Acknowledge:
    """Makes the read marks of one account. It has no task while none are owed, as of most accounts nearly always."""

    __slots__ = (
        "_account",
        "_again",
        "_alarm",
        "_chance",
        "_clock",
        "_inbox",
        "_ledger",
        "_metrics",
        "_stopped",
        "_task",
    )

    def __init__(
        self,
        account: AccountKey,
        inbox: Inbox,
        ledger: AcknowledgeLedger,
        clock: Clock,
        metrics: Metrics,
        chance: random.Random,
    ) -> None:
        self._account = account
        self._inbox = inbox
        self._ledger = ledger
        self._clock = clock
        self._metrics = metrics
        self._chance = chance
        self._task: asyncio.Task[None] | None = None
        self._alarm: Alarm | None = None
        self._again = False  # it was woken while it worked
        self._stopped = False

    def wake(self) -> None:
        """Make what marks are due, now and as long as more fall due. Marks that are cut off are made again: they may be."""
        if self._stopped:
            return  # an alarm was just ringing
        self._rest(None)
        if self._task is None:
            self._task = asyncio.create_task(self._work(), name=f"marks {self._account.name}")
        else:
            self._again = True

    def stop(self) -> list[asyncio.Task[None]]:
        """Make no more; return what is still ending."""
        self._stopped = True
        self._rest(None)
        if self._task is None:
            return []
        self._task.cancel()
        return [self._task]

    async def _work(self) -> None:
        failures = 0
        try:
            while True:
                self._again = False
                try:
                    seconds = await self._turn()
                except Exception:
                    # Whatever it is, it must end neither the account's marks nor the daemon.
                    log.exception("acknowledge_failed", account=self._account.name)
                    await self._clock.sleep(_PAUSES_AFTER_ERROR[min(failures, len(_PAUSES_AFTER_ERROR) - 1)])
                    failures += 1
                    continue
                failures = 0
                if seconds != 0 and not self._again:
                    self._rest(seconds)
                    return
        finally:
            self._task = None

    def _rest(self, seconds: float | None) -> None:
        """Sleep for so many seconds; None: until somebody wakes us."""
        if self._alarm is not None:
            self._alarm.cancel()
        self._alarm = None if seconds is None else self._clock.alarm(seconds, self.wake)

    async def _turn(self) -> float | None:
        """Make what marks are due; return in how many seconds there are more, None if only once some are owed."""
        due = await self._ledger.due_marks(self._account, _BATCH)
        if due.marks:
            results = await self._mark([mark.upstream_id for mark in due.marks])
            records = decide(due.marks, results, self._clock.now(), self._chance.random())
            await self._ledger.record_marks(records)
            self._count(records)
            if len(due.marks) == _BATCH:
                return 0.0
            later = [record.due_at for record in records if record.due_at is not None]
            due = DueMarks(next_due=min((at for at in (*later, due.next_due) if at is not None), default=None))
        return None if due.next_due is None else max(0.0, (due.next_due - self._clock.now()).total_seconds())

    async def _mark(self, upstream_ids: Sequence[str]) -> Mapping[str, MarkResult]:
        try:
            results = await self._inbox.mark_read(upstream_ids)
        except SourceError as error:
            outcome = MarkOutcome.FAILED if isinstance(error, RejectedError) else MarkOutcome.RETRY
            results = [MarkResult(upstream_id=each, outcome=outcome, detail=str(error)) for each in upstream_ids]
        return {result.upstream_id: result for result in results}

    def _count(self, records: Sequence[MarkRecord]) -> None:
        for record in records:
            outcome = record.result.outcome
            self._metrics.read_marks.labels(account=self._account.name, outcome=outcome.value).inc()
            if outcome is MarkOutcome.FAILED:
                log.error(
                    "read_mark_failed", account=self._account.name, alert=record.alert_id, detail=record.result.detail
                )
        retried = [record for record in records if record.result.outcome is MarkOutcome.RETRY]
        if retried:
            detail = retried[0].result.detail
            log.warning("read_marks_postponed", account=self._account.name, marks=len(retried), detail=detail)


def decide(
    marks: Sequence[DueMark], results: Mapping[str, MarkResult], now: datetime, chance: float
) -> list[MarkRecord]:
    """Return what to write for each mark: those to be made again get a time, ``chance`` from 0 to 1 being the jitter."""
    records = []
    for mark in marks:
        result = results.get(mark.upstream_id) or MarkResult(
            upstream_id=mark.upstream_id, outcome=MarkOutcome.RETRY, detail="the vendor's answer did not name it"
        )
        backoff = min(_MAX_BACKOFF, _INITIAL_BACKOFF * 2.0 ** min(mark.attempts, 32))
        again = result.outcome is MarkOutcome.RETRY
        # Half of the pause is certain, so that a vendor in trouble is not asked at once.
        due_at = now + timedelta(seconds=backoff * (0.5 + 0.5 * chance)) if again else None
        records.append(MarkRecord(alert_id=mark.alert_id, result=result, due_at=due_at))
    return records
