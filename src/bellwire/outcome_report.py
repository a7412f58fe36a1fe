"""What came of a channel's sends, in the metrics and in the log."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import structlog

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bellwire.metrics import Metrics
    from bellwire.model import ChannelKey, Message
    from bellwire.records import Claim, Outcome, Settled

_NAMED = 10  # alerts of a message that a line of the log names

log = structlog.get_logger(__name__)


class OutcomeReport:
    """Counts and tells the outcomes of one channel. ``label`` is the channel as metrics name it."""

    def __init__(self, key: ChannelKey, label: str, metrics: Metrics) -> None:
        self._key = key
        labels = {"receiver": key.receiver, "channel": label}
        self._sent = metrics.notifications.labels(**labels)
        self._latency = metrics.notification_latency.labels(**labels)
        self._failed = metrics.notifications_failed
        self._labels = labels

    def note(self, ended: Sequence[tuple[Claim, Outcome]], settled: Sequence[Settled]) -> None:
        """Count these outcomes, which are written, and tell of them."""
        chatty = log.is_enabled_for(logging.DEBUG)
        for (claim, outcome), result in zip(ended, settled, strict=True):
            if outcome.verdict is not None:
                self._note_failure(claim, outcome)
                continue
            self._sent.inc()
            for seconds in result.latencies:
                self._latency.observe(max(0.0, seconds))
            if chatty:
                log.debug("delivery_sent", channel=str(self._key), **named(claim.message, claim.members))

    def _note_failure(self, claim: Claim, outcome: Outcome) -> None:
        self._failed.labels(**self._labels, reason=outcome.reason).inc()
        if not log.is_enabled_for(logging.ERROR if outcome.dead else logging.WARNING):
            return
        event = "delivery_dead" if outcome.dead else "delivery_failed"
        level = log.error if outcome.dead else log.warning
        said = {"reason": outcome.reason, "detail": outcome.detail, "verdict": str(outcome.verdict)}
        level(event, channel=str(self._key), **said, **named(claim.message, claim.members))


def named(message: Message, members: Sequence[str] = ()) -> dict[str, Any]:
    """Return the fields by which a line of the log names a message: its delivery, and the first of its alerts.

    ``members`` are the alerts' ids where the message has none: see `bellwire.records.Claim`.
    """
    fields: dict[str, Any] = {"delivery": message.delivery_id}
    if first := [alert.id for alert in message.alerts[:_NAMED]] or list(members[:_NAMED]):
        fields["alerts"] = first
    if (more := (len(message.alerts) or len(members)) - _NAMED) > 0:
        fields["more"] = more
    return fields
