"""What an attempt comes to, and what a message is that cannot be made as its channel would have it: decided, not done."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from bellwire.errors import DeliveryError, TemplateError, Verdict
from bellwire.records import Outcome

if TYPE_CHECKING:
    from datetime import datetime

    from bellwire.model import Alert, Envelope, Message, Receipt
    from bellwire.records import ChannelPolicy, Claim

_PLAIN_LENGTH = 2_000  # characters of a text in the plain form


def no_answer() -> DeliveryError:
    """Return the error of an attempt that was ended because it took too long."""
    return DeliveryError("no answer in time", verdict=Verdict.IN_DOUBT, reason="timeout")


def success_outcome(envelope: Envelope, receipt: Receipt) -> Outcome:
    """Return the outcome of an attempt that the other side confirmed."""
    return Outcome(
        delivery_id=envelope.delivery_id,
        attempt=envelope.attempt,
        detail=receipt.detail,
        remote=receipt.remote,
        group=receipt.group,
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


def why_plain(error: Exception) -> str:
    """Return why a message is not as its channel would have it."""
    if isinstance(error, TemplateError):
        place = f"{error.name}, line {error.line}" if error.name else f"line {error.line}"
        return f"this is the plain form, for a template failed ({place}): {error}"
    return f"{type(error).__name__}: this message could not be made"


def plain_form(message: Message) -> Message:
    """Return the message without anything but names and cut texts."""

    def cut(alert: Alert) -> Alert:
        return replace(
            alert, message=alert.message[:_PLAIN_LENGTH], title=alert.title[:_PLAIN_LENGTH], labels={}, payload=None
        )

    return replace(message, alerts=tuple(cut(alert) for alert in message.alerts))
