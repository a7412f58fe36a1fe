"""What the parts of one source work with, and how they hand in what they found."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from bellwire.model import Severity, Via
from bellwire.records import SourceEvent
from bellwire.states import SourceSignal

if TYPE_CHECKING:
    import random
    from collections.abc import Sequence

    from bellwire.config.schema import AccountConfig
    from bellwire.errors import UnauthorizedError
    from bellwire.metrics import Metrics
    from bellwire.model import AccountKey, Discard, Notification
    from bellwire.ports import Clock, Inbox, Intake, SourceLedger
    from bellwire.sources.report import Report
    from bellwire.sources.standing import Standing

LATE = {"late": "true"}
_LONG_AGO = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, kw_only=True, slots=True)
class Surroundings:
    """What all sources of a process share."""

    clock: Clock
    metrics: Metrics
    rng: random.Random


@dataclass(kw_only=True, slots=True)
class Site:
    """One source's account, its ways in and out, and where it stands."""

    account: AccountConfig
    key: AccountKey
    inbox: Inbox
    intake: Intake
    ledger: SourceLedger
    clock: Clock
    rng: random.Random
    report: Report
    standing: Standing
    newest: datetime = _LONG_AGO  # of what was found so far
    grave_at: datetime | None = None  # when the last alerts came, if they were errors or worse
    begun: bool = False  # the list was read, and where that left us is kept

    async def hand_in(
        self, found: Sequence[Notification], via: Via, *, late: bool = False, first_start: bool = False
    ) -> int:
        """Give intake what was found, the oldest first; return how many were new."""
        if not found:
            return 0
        new = await self.intake.receive(
            self.key, sorted(found, key=created), via, LATE if late else None, first_start=first_start
        )
        if new:
            self.report.arrived()
            self._weigh(found)
        return new

    def _weigh(self, found: Sequence[Notification]) -> None:
        last = [item for item in found if item.created_at is None or item.created_at > self.newest] or found
        grave = any(item.severity >= Severity.ERROR for item in last)
        self.grave_at = self.clock.now() if grave else None
        self.newest = max(self.newest, *(created(item) for item in found))

    async def discard(self, discards: Sequence[Discard]) -> None:
        """Count and record what the stream brought that is no notification, and let the list be looked at."""
        for item in discards:
            repeated = self.report.discarded(item.reason, item.detail)
            if repeated is not None:
                detail: dict[str, str | int] = {"reason": item.reason, "detail": item.detail, "repeated": repeated}
                await self.ledger.note(self.key, SourceEvent(kind="discarded", detail=detail))
        if discards and not self.standing.doubt:
            self.standing.doubt = True
            self.standing.wake()

    async def denied(self, error: UnauthorizedError) -> None:
        """Follow a refusal of the credentials, which is a state, and where it is new an event too."""
        if self.report.signal(SourceSignal.DENIED):
            await self.ledger.note(self.key, SourceEvent(kind="unauthorized", detail={"error": str(error)}))

    async def save(self) -> None:
        """Keep where the source stands."""
        await self.ledger.save_position(self.key, self.standing.position())


def created(item: Notification) -> datetime:
    """Return when an item was created; what does not say so is old."""
    return item.created_at or _LONG_AGO
