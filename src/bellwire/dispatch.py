"""The second arrow: from the ledger through a channel and back. The attempt is written before it is made, the outcome after.

Each channel has a lane of its own, so that one that hangs holds up nobody else.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING

import structlog

from bellwire.errors import DeliveryError, LedgerError, Verdict
from bellwire.model import Envelope
from bellwire.records import Outcome, Start

if TYPE_CHECKING:
    import random
    from collections.abc import Sequence
    from datetime import datetime

    from bellwire.metrics import Metrics
    from bellwire.model import Alert, ChannelKey, Message, Receipt
    from bellwire.ports import Channel, Clock, DispatchLedger
    from bellwire.records import ChannelPolicy, Claim, Claims

_LEASE_MARGIN = 10.0  # seconds between the end of the longest send and the end of its lease
_PAUSES_AFTER_ERROR = (1.0, 2.0, 5.0, 15.0, 60.0)  # seconds, the last one again and again
_TO_GIVE_BACK = 0.5  # seconds
_LINGER = 0.005  # seconds to wait for more free places
_PLAIN_LENGTH = 2_000  # characters of a text in the plain form

log = structlog.get_logger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class Lane:
    """A channel and how it is served. ``width`` is how many sends may be under way at once."""

    policy: ChannelPolicy
    channel: Channel
    width: int = 1

    @property
    def label(self) -> str:
        """The channel as metrics name it: an e-mail's recipient is nobody's business there."""
        key = self.policy.key
        return key.kind if key.kind == "email" or not key.name else f"{key.kind}/{key.name}"


class Dispatch:
    """Sends what one lane's channel is owed, until it is told to stop."""

    def __init__(
        self, lane: Lane, ledger: DispatchLedger, clock: Clock, metrics: Metrics, chance: random.Random
    ) -> None:
        self._lane = lane
        self._ledger = ledger
        self._clock = clock
        self._metrics = metrics
        self._chance = chance
        self._work = ledger.work(lane.policy.key)
        self._roomy = asyncio.Event()
        self._stopping = False
        self._sends: dict[asyncio.Task[None], str] = {}  # each with its delivery's id
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
                    await self._clock.sleep(next(pauses, _PAUSES_AFTER_ERROR[-1]))
                else:
                    pauses = iter(_PAUSES_AFTER_ERROR)
            if self._sends:
                await asyncio.wait(self._sends)
        finally:
            await self._cut_off()

    async def _cut_off(self) -> None:
        """End the sends that are under way. They may have arrived: that is written, if it can be at once."""
        cut = dict(self._sends)
        for send in cut:
            send.cancel()
        await asyncio.gather(*cut, return_exceptions=True)
        if cut:
            with suppress(LedgerError, TimeoutError):
                async with asyncio.timeout(_TO_GIVE_BACK):
                    await self._ledger.unclaim(list(cut.values()))

    async def _turn(self) -> None:
        """Take what is due, start sending it, and wait until there is more to do."""
        self._work.clear()
        self._turned_at = self._clock.now()
        free = self._lane.width - len(self._sends)
        claims = await self._ledger.claim(self._lane.policy, free) if free else None
        if claims and claims.claims:
            await self._begin(claims)
            if len(claims.claims) == free:
                return  # there may be more, once a send has ended
        if claims is None or self._stopping:
            # Every place is taken: the end of a send sets the event.
            await self._clock.wait(self._work, None)
            await self._make_room()
        else:
            await self._clock.wait(self._work, self._seconds_until(claims.next_due))

    async def _make_room(self) -> None:
        """Wait a little for more sends to end, while most places are taken: a claim is a commit, for one as for many."""
        self._roomy.clear()
        if self._is_crowded():
            await self._clock.wait(self._roomy, _LINGER)

    def _is_crowded(self) -> bool:
        return len(self._sends) > self._lane.width // 2

    def _seconds_until(self, due: datetime | None) -> float | None:
        return None if due is None else max(0.0, (due - self._clock.now()).total_seconds())

    async def _begin(self, claims: Claims) -> None:
        """Freeze the bodies, write the attempts, and only then send."""
        if self._stopping:
            await self._ledger.unclaim([claim.message.delivery_id for claim in claims.claims])
            return
        bodies = [self._render(claim.message) if claim.body is None else claim.body for claim in claims.claims]
        starts = [
            Start(delivery_id=claim.message.delivery_id, body=body or b"")
            for claim, body in zip(claims.claims, bodies, strict=True)
        ]
        ours = await self._ledger.start(self._lane.policy, starts)
        for claim, body, is_ours in zip(claims.claims, bodies, ours, strict=True):
            if is_ours:
                name = f"send-{claim.message.delivery_id}"
                task = asyncio.create_task(self._send(claim, body), name=name)
                self._sends[task] = claim.message.delivery_id
                task.add_done_callback(self._sent)

    def _sent(self, task: asyncio.Task[None]) -> None:
        self._sends.pop(task, None)
        self._work.set()
        if not self._is_crowded():
            self._roomy.set()
        if not task.cancelled() and (error := task.exception()):
            # The ledger did not take the outcome: the lease will run out and the delivery be resolved as in doubt.
            log.error("outcome_unwritten", channel=str(self._lane.policy.key), error=repr(error))

    def _render(self, message: Message) -> bytes | None:
        """Return the channel's form of the message, the plain form where that cannot be made, None if neither can."""
        try:
            return self._lane.channel.render(message)
        except Exception as error:
            # Whatever an alert's text provokes, the alert goes out.
            self._metrics.render_errors.labels(receiver=message.receiver, channel=self._lane.label).inc()
            log.exception("render_failed", delivery=message.delivery_id)
            plain = _plain(message, f"{type(error).__name__}: this message could not be made")
        try:
            return self._lane.channel.render(plain)
        except Exception:
            log.exception("render_failed", delivery=message.delivery_id, form="plain")
            return None

    async def _send(self, claim: Claim, body: bytes | None) -> None:
        if body is None:
            error = DeliveryError("no message could be made", verdict=Verdict.MESSAGE_FAULT, reason="render_failed")
            await self._settle(failure_outcome(error, claim, self._lane.policy, self._clock.now(), 0.0))
            return
        envelope = Envelope(
            delivery_id=claim.message.delivery_id,
            attempt=claim.attempts + 1,
            body=body,
            sent_at=self._clock.wall(),
            doubtful=claim.doubtful,
            remote=claim.remote,
        )
        await self._settle(await self._attempt(claim, envelope))

    async def _settle(self, outcome: Outcome) -> None:
        # Once it is handed over, the ledger writes the outcome even if this task is cancelled.
        (settled,) = await self._ledger.settle(self._lane.policy, [outcome])
        self._count(outcome, settled.latencies)

    async def _attempt(self, claim: Claim, envelope: Envelope) -> Outcome:
        policy = self._lane.policy
        try:
            async with asyncio.timeout(policy.lease - _LEASE_MARGIN):
                receipt = await self._lane.channel.send(envelope)
        except DeliveryError as error:
            failure = error
        except TimeoutError:
            failure = DeliveryError("no answer in time", verdict=Verdict.IN_DOUBT, reason="timeout")
        except Exception as error:
            log.exception("channel_raised", channel=str(policy.key), delivery=envelope.delivery_id)
            failure = DeliveryError(
                f"the channel raised {type(error).__name__}", verdict=Verdict.IN_DOUBT, reason="internal_error"
            )
        else:
            return _success(envelope, receipt)
        chance = self._chance.random()
        return failure_outcome(failure, claim, policy, self._clock.now(), chance)

    def _count(self, outcome: Outcome, latencies: Sequence[float]) -> None:
        receiver, channel = self._lane.policy.key.receiver, self._lane.label
        fields = {"channel": str(self._lane.policy.key), "delivery": outcome.delivery_id}
        if outcome.verdict is None:
            self._metrics.notifications.labels(receiver=receiver, channel=channel).inc()
            latency = self._metrics.notification_latency.labels(receiver=receiver, channel=channel)
            for seconds in latencies:
                latency.observe(max(0.0, seconds))
            log.debug("delivery_sent", **fields)
            return
        self._metrics.notifications_failed.labels(receiver=receiver, channel=channel, reason=outcome.reason).inc()
        event = "delivery_dead" if outcome.dead else "delivery_failed"
        level = log.error if outcome.dead else log.warning
        level(event, verdict=outcome.verdict.value, reason=outcome.reason, detail=outcome.detail, **fields)


def _success(envelope: Envelope, receipt: Receipt) -> Outcome:
    return Outcome(
        delivery_id=envelope.delivery_id, attempt=envelope.attempt, detail=receipt.detail, remote=receipt.remote
    )


def failure_outcome(error: DeliveryError, claim: Claim, policy: ChannelPolicy, now: datetime, chance: float) -> Outcome:
    """Decide what becomes of a delivery after a failed attempt. ``chance`` is from 0 to 1 (full jitter)."""
    outcome = Outcome(
        delivery_id=claim.message.delivery_id,
        attempt=claim.attempts + 1,
        verdict=error.verdict,
        reason=error.reason,
        detail=str(error),
        # That this attempt did not arrive says nothing of the one before it.
        doubtful=claim.doubtful or error.verdict is Verdict.IN_DOUBT,
    )
    if error.permanent:
        return replace(outcome, dead=True)
    first = claim.first_attempt_at or now
    if now - first >= timedelta(seconds=policy.max_age):
        return replace(outcome, dead=True, detail=f"gave up after {policy.max_age:.0f} s: {error}")
    blocked_until = None if error.retry_after is None else now + timedelta(seconds=error.retry_after)
    if error.verdict is Verdict.CHANNEL_FAULT:
        # The breaker decides when the channel is tried again; this delivery is as good a probe as any.
        return replace(outcome, due_at=now, blocked_until=blocked_until)
    backoff = min(policy.max_backoff, policy.initial_backoff * 2.0 ** min(claim.attempts, 64))
    due_at = now + timedelta(seconds=backoff * chance)
    return replace(outcome, due_at=max(due_at, blocked_until or due_at), blocked_until=blocked_until)


def _plain(message: Message, error: str) -> Message:
    """Return the message without anything but names and cut texts, with the error attached."""

    def cut(alert: Alert) -> Alert:
        return replace(
            alert, message=alert.message[:_PLAIN_LENGTH], title=alert.title[:_PLAIN_LENGTH], labels={}, payload=None
        )

    return replace(message, alerts=tuple(cut(alert) for alert in message.alerts), errors=(*message.errors, error))
