"""The second arrow: from the ledger through a channel and back. The attempt is written before it is made, the outcome after.

Each channel has a lane of its own, so that one that hangs holds up nobody else.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import structlog

from bellwire.errands import Errands
from bellwire.errors import DeliveryError, LedgerError, Verdict
from bellwire.model import Envelope
from bellwire.outcome_report import OutcomeReport, named
from bellwire.outcomes import failure_outcome, no_answer, success_outcome
from bellwire.rendering import Renderer

if TYPE_CHECKING:
    import random
    from datetime import datetime

    from bellwire.metrics import Metrics
    from bellwire.model import ChannelKey
    from bellwire.ports import Channel, Clock, DispatchLedger
    from bellwire.records import ChannelPolicy, Claim, Claims, Outcome

_LEASE_MARGIN = 10.0  # seconds between the end of the longest send and the end of its lease
_PAUSES_AFTER_ERROR = (1.0, 2.0, 5.0, 15.0, 60.0)  # seconds, the last one again and again
_TO_GIVE_BACK = 0.5  # seconds
_LINGER = 0.005  # seconds to wait for more free places
_STANDS = 1.0  # seconds that a claim may wait for a place: meanwhile it can neither be silenced nor go another way
_SLOW_FOR = 30.0  # seconds for which nothing is claimed ahead, after some of it had to be given back

log = structlog.get_logger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class Lane:
    """A channel and how it is served. ``width`` is how many sends may be under way at once."""

    policy: ChannelPolicy
    channel: Channel
    width: int = 1

    @property
    def ahead(self) -> int:
        """How many claims may wait for a free place. A token is taken for a message that goes at once."""
        return self.width if self.policy.rate is None and self.width > 1 else 0

    @property
    def label(self) -> str:
        """The channel as metrics name it: an e-mail's recipient is nobody's business there."""
        key = self.policy.key
        return key.kind if key.kind == "email" or not key.name else f"{key.kind}/{key.name}"


@dataclass(slots=True)
class _Sending:
    """A send under way. ``overdue_at`` is by the loop's clock."""

    delivery_id: str
    overdue_at: float
    overdue: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class _Ready:
    """A claim with its body, which waits for a free place. ``body`` is None if none could be made."""

    claim: Claim
    body: bytes | None
    taken_at: datetime


class Dispatch:
    """Sends what one lane's channel is owed, until it is told to stop."""

    def __init__(
        self, lane: Lane, ledger: DispatchLedger, clock: Clock, metrics: Metrics, chance: random.Random
    ) -> None:
        self._lane = lane
        self._ledger = ledger
        self._clock = clock
        self._chance = chance
        self._work = ledger.work(lane.policy.key)
        self._renderer = Renderer(lane.policy.key.receiver, lane.label, lane.channel, metrics)
        self._halt = asyncio.Event()
        self._slow_until = clock.now()
        self._roomy = asyncio.Event()
        self._stopping = False
        self._sends: dict[asyncio.Task[None], _Sending] = {}  # the oldest first
        self._ready: list[_Ready] = []  # the oldest first
        self._is_more = False  # as far as we know: more is due than we have
        self._outcomes: list[tuple[Claim, Outcome]] = []  # that nobody writes yet
        self._faults = 0  # outcomes that are not written and may hold for the whole channel
        self._errands = Errands(f"afterwards-{lane.policy.key}", clock, self._pause)
        self._writing: asyncio.Task[None] | None = None
        self._guard: asyncio.TimerHandle | None = None
        self._report = OutcomeReport(lane.policy.key, lane.label, metrics)
        self._turned_at = clock.now()

    @property
    def key(self) -> ChannelKey:
        """The channel it serves."""
        return self._lane.policy.key

    def stuck_for(self) -> float:
        """Return for how many seconds there has been work that was not looked at."""
        return (self._clock.now() - self._turned_at).total_seconds() if self._work.is_set() else 0.0

    def stop(self) -> None:
        """Take nothing more. `run` goes on until what was taken is sent."""
        self._stopping = True
        self._halt.set()
        self._work.set()

    async def run(self) -> None:
        """Send until `stop`, and then until the sends under way have ended. Cancelled, it leaves them in doubt."""
        try:
            pauses = iter(_PAUSES_AFTER_ERROR)
            while not self._stopping:
                try:
                    await self._turn()
                except Exception:
                    # Whatever it is, it must end neither this lane nor the daemon.
                    log.exception("dispatch_failed", channel=str(self._lane.policy.key))
                    await self._clock.wait(self._halt, next(pauses, _PAUSES_AFTER_ERROR[-1]))
                else:
                    pauses = iter(_PAUSES_AFTER_ERROR)
            with suppress(LedgerError):  # once more at the end: the sends must not suffer for it
                await self._give_back(self._ready)
            if self._sends:
                await asyncio.wait(self._sends)
            while self._writing is not None:
                await asyncio.wait({self._writing})
        finally:
            await self._cut_off()

    async def _cut_off(self) -> None:
        """End the sends that are under way. They may have arrived: that is written, if it can be at once."""
        if self._guard is not None:
            self._guard.cancel()
        cut = dict(self._sends)
        for send in cut:
            send.cancel()
        await asyncio.gather(*cut, self._errands.end(), return_exceptions=True)
        with suppress(LedgerError, TimeoutError):
            async with asyncio.timeout(_TO_GIVE_BACK):
                if self._writing is not None:
                    await asyncio.shield(self._writing)
                unsent = [each.claim.message.delivery_id for each in self._ready]
                if given_back := unsent + [sending.delivery_id for sending in cut.values()]:
                    await self._ledger.unclaim(given_back)

    async def _turn(self) -> None:
        """Start what stands ready, take more of what is due, and wait until there is more to do."""
        self._work.clear()
        self._turned_at = self._clock.now()
        while self._faults and self._writing is not None:
            await asyncio.wait({self._writing})  # what the other side said holds for what comes next
        self._turned_at = self._clock.now()
        stale = [each for each in self._ready if (self._turned_at - each.taken_at).total_seconds() >= _STANDS]
        if stale:
            self._slow_until = self._turned_at + timedelta(seconds=_SLOW_FOR)
            await self._give_back(stale)
        if self._stopping:
            return
        claims = await self._advance()
        if self._ready and len(self._sends) < self._lane.width:
            await self._make_room()
        elif self._ready or claims is None:
            # Every place is taken: the end of a send sets the event.
            await self._clock.wait(self._work, _STANDS if self._ready else None)
            await self._make_room()
        else:
            await self._clock.wait(self._work, self._seconds_until(claims.next_due))

    async def _advance(self) -> Claims | None:
        """Write the attempts that there is a place for and take what is due, in one commit; then send.

        Returns what was taken, None if there is no place.
        """
        if not (free := self._lane.width - len(self._sends)):
            self._is_more = True
            return None
        going, standing = self._ready[:free], self._ready[free:]
        ahead = self._lane.ahead if self._turned_at >= self._slow_until else 0
        limit = max(0, free - len(going) + ahead - len(standing))
        starts = [each.claim.start(each.body or b"") for each in going]
        offered = [each.claim.message.delivery_id for each in standing if each.claim.offered_at is not None]
        ours, claims = await self._ledger.advance(self._lane.policy, starts, limit, offered if ahead else None)
        for each, is_ours in zip(going, ours, strict=True):
            if is_ours:
                task = asyncio.create_task(self._send(each.claim, each.body))
                self._sends[task] = _Sending(each.claim.message.delivery_id, self._overdue_at())
                task.add_done_callback(self._sent)
        self._is_more = len(claims.claims) >= limit  # what comes later sets the event by itself
        if claims.died:
            log.error("deliveries_dead", channel=str(self.key), reason="max_age", deliveries=claims.died)
        if self._guard is None and self._sends:
            self._watch()
        if not all(ours):
            self._work.set()  # whatever took them from us, nobody else may look after them
        taken = [(claim, self._renderer.body(claim)) for claim in claims.claims]
        now = self._clock.now()  # a slow commit, or slow templates, must not make them stale before they stand here
        self._ready = standing + [_Ready(claim=claim, body=body, taken_at=now) for claim, body in taken]
        offers = [claim.offered_at for claim in claims.claims if claim.offered_at is not None]
        if offers and (now - min(offers)).total_seconds() >= _STANDS:
            self._slow_until = now + timedelta(seconds=_SLOW_FOR)  # they will hardly hold: what comes next is claimed
        return claims

    async def _give_back(self, ready: list[_Ready]) -> None:
        if ready:
            if claimed := [each.claim.message.delivery_id for each in ready if each.claim.offered_at is None]:
                await self._ledger.unclaim(claimed)
            self._ready = [each for each in self._ready if each not in ready]

    async def _make_room(self) -> None:
        """Wait a little for more sends to end, while most places are taken: a commit costs much, for one as for many."""
        self._roomy.clear()
        if self._is_crowded():
            await self._clock.wait(self._roomy, _LINGER)

    def _is_crowded(self) -> bool:
        return len(self._sends) > self._lane.width // 2

    def _seconds_until(self, due: datetime | None) -> float | None:
        return None if due is None else max(0.0, (due - self._clock.now()).total_seconds())

    def _sent(self, task: asyncio.Task[None]) -> None:
        self._sends.pop(task, None)
        if self._is_more or self._ready:
            self._work.set()
        if not self._is_crowded():
            self._roomy.set()

    def _overdue_at(self) -> float:
        return asyncio.get_running_loop().time() + self._lane.policy.lease - _LEASE_MARGIN

    def _watch(self) -> None:
        """End sends that their channel should long have ended: their leases run out. They began in order: one timer does."""
        loop = asyncio.get_running_loop()
        self._guard = None
        for task, sending in self._sends.items():
            if sending.overdue_at > loop.time():
                self._guard = loop.call_at(sending.overdue_at, self._watch)
                return
            if not sending.overdue:
                sending.overdue = True
                task.cancel()

    async def _send(self, claim: Claim, body: bytes | None) -> None:
        if body is None:
            error = DeliveryError("no message could be made", verdict=Verdict.MESSAGE_FAULT, reason="render_failed")
            self._settle(claim, failure_outcome(error, claim, self._lane.policy, self._clock.now(), 0.0))
            return
        envelope = Envelope(
            delivery_id=claim.message.delivery_id,
            attempt=claim.attempts + 1,
            body=body,
            sent_at=self._clock.wall(),
            doubtful=claim.doubtful,
            remote=claim.remote,
            group=claim.group,
        )
        self._settle(claim, await self._attempt(claim, envelope))

    def _settle(self, claim: Claim, outcome: Outcome) -> None:
        """Have the outcome written, together with those that come while others are being written."""
        self._outcomes.append((claim, outcome))
        self._faults += outcome.verdict is not None
        if outcome.blocked_until is not None:
            self._errands.pause(outcome.blocked_until)
        if self._writing is None:
            self._writing = asyncio.create_task(self._write_outcomes(), name=f"outcomes-{self._lane.policy.key}")

    async def _write_outcomes(self) -> None:
        try:
            while self._outcomes:
                if self._is_crowded() and not self._stopping:
                    # They end by the dozen: what is written together costs a fraction, and claims join the same commit.
                    await self._clock.wait(self._roomy, _LINGER)
                ended, self._outcomes = self._outcomes, []
                outcomes = [outcome for _, outcome in ended]
                try:
                    settled = await self._ledger.settle(self._lane.policy, outcomes)
                except LedgerError as error:
                    # The leases will run out and the deliveries be resolved as in doubt.
                    log.error("outcomes_unwritten", channel=str(self.key), outcomes=len(outcomes), error=repr(error))
                except Exception:
                    # Those that come after must not wait for ever for their turn.
                    log.exception("outcomes_unwritten", channel=str(self.key), outcomes=len(outcomes))
                else:
                    self._report.note(ended, settled)
                    self._errands.start(outcome.delivery_id for outcome in outcomes)
                finally:
                    self._faults -= sum(outcome.verdict is not None for outcome in outcomes)
        finally:
            self._writing = None

    async def _attempt(self, claim: Claim, envelope: Envelope) -> Outcome:
        policy = self._lane.policy
        try:
            receipt = await self._lane.channel.send(envelope)
        except DeliveryError as error:
            failure = error
        except TimeoutError:
            failure = no_answer()
        except asyncio.CancelledError:
            if not self._is_overdue():
                raise
            failure = no_answer()
        except Exception as error:
            log.exception("channel_raised", channel=str(policy.key), **named(claim.message, claim.members))
            failure = DeliveryError(
                f"the channel raised {type(error).__name__}", verdict=Verdict.IN_DOUBT, reason="internal_error"
            )
        else:
            self._errands.keep(envelope.delivery_id, receipt.afterwards)
            return success_outcome(envelope, receipt)
        chance = self._chance.random()
        return failure_outcome(failure, claim, policy, self._clock.now(), chance)

    async def _pause(self, until: datetime) -> None:
        """Leave the channel alone until then, as what followed from a send was asked to."""
        await self._ledger.pause(self.key, until)

    def _is_overdue(self) -> bool:
        """Return whether `_watch` ended the present send, and no one else wants its end."""
        task = asyncio.current_task()
        sending = self._sends.get(task) if task else None
        return task is not None and sending is not None and sending.overdue and task.uncancel() == 0
