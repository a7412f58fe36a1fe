"""The body of a message: as its channel's templates have it, and where they fail, as plain as it takes."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import structlog

from bellwire.outcome_report import named
from bellwire.outcomes import plain_form, why_plain

if TYPE_CHECKING:
    from bellwire.metrics import Metrics
    from bellwire.model import Message
    from bellwire.ports import Channel
    from bellwire.records import Claim

log = structlog.get_logger(__name__)


class Renderer:
    """Makes the bodies of one channel's messages. ``label`` is the channel as metrics name it."""

    def __init__(self, receiver: str, label: str, channel: Channel, metrics: Metrics) -> None:
        self._channel = channel
        self._errors = metrics.render_errors.labels(receiver=receiver, channel=label)

    def body(self, claim: Claim) -> bytes | None:
        """Return the body that was frozen, or a new one; None if none can be made."""
        return self._render(claim.message) if claim.body is None else claim.body

    def _render(self, message: Message) -> bytes | None:
        """Return the message as the channel's templates have it, else in its own form, else cut."""
        try:
            return self._channel.render(message)
        except Exception as error:
            # Whatever an alert's text provokes, the alert goes out.
            self._errors.inc()
            log.exception("render_failed", **named(message))
            told = why_plain(error)
        own = replace(message, own_form=True, errors=(*message.errors, told))
        for form, plain in (("own", own), ("plain", plain_form(own))):
            try:
                return self._channel.render(plain)
            except Exception:
                log.exception("render_failed", **named(message), form=form)
        return None
