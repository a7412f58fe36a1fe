"""What becomes of an alert that was routed: inhibited, silenced, a repeat, muted, waiting, or owed now.

The order is that of the contract: what a rule dropped, inhibition, silences, repeats, windows, digests, groups. The first
two suppress an alert whole, the others what it owes to one channel.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bellwire.ledger.joining import REPEATING, Joining
from bellwire.ledger.repeating import Repeats
from bellwire.ledger.shadowing import Shadows
from bellwire.ledger.silencing import active_silences, silenced_by
from bellwire.model import ObligationState, Suppression

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bellwire.ledger.transaction import Transaction
    from bellwire.model import Destination
    from bellwire.records import Arrival

Row = dict[str, Any]


class Admission:
    """Decides for a batch of arrivals, one after the other. `write` what it leaves behind."""

    def __init__(self, tx: Transaction, arrivals: Sequence[Arrival]) -> None:
        self._tx = tx
        self._shadows = Shadows(tx, arrivals)
        self._silences = active_silences(tx)
        self._repeats = Repeats(tx)
        self._joining = Joining(tx)

    def refusal(self, arrival: Arrival) -> tuple[Suppression, str] | None:
        """Return why nothing of the alert is sent, and the id of what suppresses it; None if something may be."""
        if arrival.decision.suppressed is not None:
            return None  # a rule of its own says so
        refused: tuple[Suppression, str] | None = None
        if by := self._shadows.over(arrival):
            refused = (Suppression.INHIBITED, by)
        elif self._silences and (by := silenced_by(self._silences, arrival.alert)):
            refused = (Suppression.SILENCED, by)
        if refused:
            self._tx.suppressed[refused[0]] += 1
        return refused

    def cast(self, arrival: Arrival, alert_id: str) -> None:
        """Let the alert's shadows fall, whatever became of it."""
        if arrival.casts:
            self._shadows.cast(arrival, alert_id)

    def oblige(self, arrival: Arrival, alert_id: str) -> list[Row]:
        """Owe the alert to each channel of each destination; return the obligations, some of them settled already."""
        owed: list[Row] = []
        for destination, keys in zip(arrival.decision.destinations, arrival.channels, strict=True):
            for key in keys:
                channel_id = self._tx.channel_id(key)
                self._tx.due_channels.add(key)
                fate = self._fate(channel_id, destination, arrival, alert_id)
                owed.append({"alert_id": alert_id, "channel_id": channel_id} | fate)
        return owed

    def write(self) -> None:
        """Write deliveries, shadows and what is known of repeats."""
        self._joining.write()
        self._shadows.write()
        self._repeats.write()

    def _fate(self, channel_id: int, destination: Destination, arrival: Arrival, alert_id: str) -> Row:
        repetition = destination.repetition
        if repetition and (earlier := self._repeats.earlier(channel_id, repetition)):
            if earlier.sent:
                self._repeats.count(channel_id, repetition)
                return self._suppressed(Suppression.REPEAT, earlier.alert_id)
            self._repeats.wait(channel_id, repetition, alert_id)
            return _open(self._joining.wait(channel_id), REPEATING)
        placed = self._joining.place(channel_id, destination, arrival.account if arrival.digest else None)
        if placed is None:
            return self._suppressed(Suppression.MUTED, None)
        if repetition:
            self._repeats.lead(channel_id, repetition, alert_id)
        return _open(placed, None)

    def _suppressed(self, why: Suppression, by: str | None) -> Row:
        self._tx.suppressed[why] += 1
        # It was never to be sent, so no delivery has it.
        return {"delivery_id": "", "state": ObligationState.SUPPRESSED, "reason": why, "detail": by}


def _open(delivery_id: str, reason: str | None) -> Row:
    return {"delivery_id": delivery_id, "state": ObligationState.OPEN, "reason": reason, "detail": None}
