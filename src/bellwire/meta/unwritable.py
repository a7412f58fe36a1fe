"""The one trouble that the ledger cannot keep: that it cannot write. It is told from memory, and noted once it is over."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import structlog

from bellwire.errors import DeliveryError, LedgerError, Verdict
from bellwire.ledger.ids import Ids
from bellwire.ledger.telling import About, message_of
from bellwire.meta.wording import beginning, ending
from bellwire.model import DeliveryKind, Envelope, TroubleKind
from bellwire.outcomes import failure_outcome
from bellwire.records import Claim
from bellwire.trouble_records import Trouble, TroubleBegun, TroubleEnded, TroubleNews

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from bellwire.dispatch import Lane
    from bellwire.ledger.ledger import Ledger
    from bellwire.meta.sight import Sight
    from bellwire.model import ChannelKey
    from bellwire.trouble_records import Telling

PAUSE = 1.0
"""Seconds between two looks."""
PATIENCE = timedelta(seconds=5)
"""A moment in which another program holds the file is none to speak of."""
_LATELY, _MORE_PATIENCE = timedelta(hours=1), timedelta(minutes=1)  # one that comes and goes is told less readily

log = structlog.get_logger(__name__)


class UnwritableLedger:
    """Tells the meta receiver's channels, once, that the ledger cannot write; a channel that fails is tried again."""

    def __init__(
        self, ledger: Ledger, look: Callable[[], Sight], lanes: Callable[[], Sequence[Lane]], chance: random.Random
    ) -> None:
        self._ledger = ledger
        self._look = look
        self._lanes = lanes
        self._chance = chance
        self._clock = ledger.clock
        self._ended_at: datetime | None = None  # by the steady clock

    async def run(self) -> None:
        """Look until cancelled."""
        since: datetime | None = None
        while True:
            await self._clock.sleep(PAUSE)
            now = self._clock.now()
            trouble = self._ledger.trouble
            if trouble is None:
                since = None
                continue
            since = since or now
            if now - since >= self._patience(now):
                await self._follow(trouble.since, trouble.error)
                self._ended_at, since = self._clock.now(), None

    def _patience(self, now: datetime) -> timedelta:
        lately = self._ended_at is not None and now - self._ended_at < _LATELY
        return _MORE_PATIENCE if lately else PATIENCE

    async def _follow(self, began_at: datetime, error: str) -> None:
        """Tell of the trouble until it is over, and note it then."""
        kind = TroubleKind.LEDGER_UNWRITABLE
        telling = beginning(kind, "", error, page=self._look().page)
        log.warning("trouble_began", kind=kind.value, subject="")
        told: list[ChannelKey] = []
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._tell(lane, began_at, telling, told)) for lane in self._lanes()]
            while self._ledger.trouble is not None:
                await self._clock.sleep(PAUSE)
            for task in tasks:
                task.cancel()
        seen, ended_at = self._look(), self._clock.wall()
        over = Trouble(kind=kind, subject="", text=telling.title, began_at=began_at)
        begun = TroubleBegun(kind=kind, subject="", began_at=began_at, telling=telling, told=tuple(told))
        ended = TroubleEnded(kind=kind, subject="", ended_at=ended_at, telling=ending(over, ended_at, seen.zone))
        log.info("trouble_ended", kind=kind.value, subject="")
        try:
            await self._ledger.note_troubles(TroubleNews(begun=(begun,), ended=(ended,), channels=seen.told))
        except LedgerError as failure:
            log.error("trouble_unwritten", error=str(failure))

    async def _tell(self, lane: Lane, began_at: datetime, telling: Telling, told: list[ChannelKey]) -> None:
        """Send the message until the channel has taken it, or never will."""
        message_id, about_id = (Ids().next(self._clock.now()) for _ in range(2))
        about = About(id=about_id, kind=TroubleKind.LEDGER_UNWRITABLE, subject="", began_at=began_at)
        message = message_of(message_id, lane.policy.key.receiver, about, telling)
        claim = Claim(
            message=message,
            kind=DeliveryKind.META,
            attempts=0,
            first_attempt_at=None,
            doubtful=False,
            body=lane.channel.render(message),
            remote="",
        )
        while failure := await self._attempt(lane, claim):
            log.warning("trouble_untold", channel=str(lane.policy.key), reason=failure.reason)
            if failure.permanent:
                return
            await self._clock.sleep(self._pause(failure, claim, lane))
            claim = replace(claim, attempts=claim.attempts + 1, doubtful=True)
        told.append(lane.policy.key)

    async def _attempt(self, lane: Lane, claim: Claim) -> DeliveryError | None:
        """Send it once; return why the channel did not take it."""
        envelope = Envelope(
            delivery_id=claim.message.delivery_id,
            attempt=claim.attempts + 1,
            body=claim.body or b"",
            sent_at=self._clock.wall(),
            doubtful=claim.doubtful,
        )
        try:
            await lane.channel.send(envelope)
        except DeliveryError as error:
            return error
        except Exception:
            log.exception("channel_raised", channel=str(lane.policy.key))
            return DeliveryError("the channel raised", verdict=Verdict.IN_DOUBT, reason="internal_error")
        return None

    def _pause(self, failure: DeliveryError, claim: Claim, lane: Lane) -> float:
        """Return the seconds to the next attempt, as for any delivery."""
        now = self._clock.now()
        outcome = failure_outcome(failure, claim, lane.policy, now, self._chance.random())
        wait = (outcome.due_at - now).total_seconds() if outcome.due_at else 0.0
        return max(lane.policy.initial_backoff, wait)
