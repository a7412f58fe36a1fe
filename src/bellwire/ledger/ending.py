"""What it changes that deliveries end, or are to be tried again: their obligations, alerts, groups and stand-ins.

A batch of them is gathered first, so that what changes alike is written by one statement.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import bindparam

from bellwire.ledger import standing_in
from bellwire.ledger.grouping import advance_group
from bellwire.ledger.prepared import KEYS, Prepared
from bellwire.ledger.settlement import alerts_in, settle_alerts
from bellwire.ledger.tables import attempts, deliveries, delivery_bodies, obligations
from bellwire.ledger.transaction import DIED
from bellwire.model import DeliveryState, ObligationState

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from bellwire.ledger.transaction import Transaction
    from bellwire.ledger.types import AnyRow
    from bellwire.records import Fallback, Outcome

_END_ATTEMPTS = Prepared(
    attempts.update()
    .where(attempts.c.delivery_id.in_(KEYS), attempts.c.n == bindparam("number"))
    .values(
        ended_at=bindparam("to_ended_at"),
        outcome=bindparam("to_outcome"),
        reason=bindparam("to_reason"),
        detail=bindparam("to_detail"),
    )
)
_AFTER_ATTEMPT: dict[str, Any] = {
    "state": bindparam("to_state"),
    "doubtful": bindparam("to_doubtful"),
    "finished_at": bindparam("to_finished_at"),
    "reason": bindparam("to_reason"),
    "owner": None,
    "lease_until": None,
}
_FINISH = Prepared(deliveries.update().where(deliveries.c.id.in_(KEYS)).values(_AFTER_ATTEMPT))
_WAIT = Prepared(
    deliveries.update().where(deliveries.c.id.in_(KEYS)).values(_AFTER_ATTEMPT | {"due_at": bindparam("to_due_at")})
)
_SETTLE_OBLIGATIONS = Prepared(
    obligations.update()
    .where(obligations.c.delivery_id.in_(KEYS), obligations.c.state == ObligationState.OPEN)
    .values(state=bindparam("to_state"), reason=bindparam("to_reason"))
)
_DROP_BODIES = Prepared(delivery_bodies.delete().where(delivery_bodies.c.delivery_id.in_(KEYS)))


class _Attempt(NamedTuple):
    """How attempts ended: those that ended alike are written together."""

    number: int
    outcome: str
    reason: str | None
    detail: str | None

    def values(self) -> dict[str, Any]:
        to = {"to_outcome": self.outcome, "to_reason": self.reason, "to_detail": self.detail}
        return {"number": self.number} | to


class _Wait(NamedTuple):
    """Until when deliveries wait that are tried again."""

    reason: str | None
    doubtful: bool
    due_at: datetime

    def values(self) -> dict[str, Any]:
        to = {"to_reason": self.reason, "to_doubtful": self.doubtful, "to_due_at": self.due_at}
        return to | {"to_state": DeliveryState.PENDING, "to_finished_at": None}


class _End(NamedTuple):
    """How deliveries ended."""

    state: DeliveryState
    reason: str | None


_OBLIGATION = {DeliveryState.SENT: ObligationState.SENT, DeliveryState.DEAD: ObligationState.DEAD}


class Endings:
    """A batch of them. In this order: `add` or `kill` each, `write`, `stand_in`, `settle_alerts`."""

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx
        self._attempts: defaultdict[_Attempt, list[str]] = defaultdict(list)
        self._finished: defaultdict[_End, list[str]] = defaultdict(list)
        self._waiting: defaultdict[_Wait, list[str]] = defaultdict(list)
        self._sent: set[str] = set()
        self._died: list[AnyRow] = []
        self._late: list[str] = []  # still waiting, and its fallbacks have been asked
        self._alerts: set[str] = set()
        self._grouped: list[tuple[AnyRow, bool, str]] = []

    def add(self, outcome: Outcome, row: AnyRow) -> None:
        """Gather what one outcome changes."""
        state = _state_after(outcome)
        attempt = _Attempt(outcome.attempt, outcome.verdict or "sent", outcome.reason or None, outcome.detail or None)
        self._attempts[attempt].append(outcome.delivery_id)
        self._finish(row, state, outcome.reason, due_at=outcome.due_at, doubtful=outcome.doubtful, left=outcome.group)

    def kill(self, row: AnyRow, reason: str) -> None:
        """Gather what it changes that a waiting delivery can never be sent."""
        self._finish(row, DeliveryState.DEAD, reason)

    def _finish(
        self,
        row: AnyRow,
        state: DeliveryState,
        reason: str,
        *,
        due_at: datetime | None = None,
        doubtful: bool = False,
        left: str = "",
    ) -> None:
        self._tx.move("deliveries", row.state, state)
        if state is DeliveryState.DEAD:
            self._tx.count(f"{DIED}{row.channel_id}")
        if state is DeliveryState.PENDING:
            self._waiting[_Wait(reason or None, doubtful, due_at or row.due_at)].append(row.id)
            if row.fallen_back and not doubtful:
                self._late.append(row.id)
        else:
            sent = state is DeliveryState.SENT
            self._finished[_End(state, reason or None)].append(row.id)
            if sent:
                self._sent.add(row.id)
            elif not row.fallen_back:
                self._died.append(row)
            if row.group_key:
                self._grouped.append((row, sent, left))

    def write(self) -> None:
        """Write them."""
        connection = self._tx.connection
        fixed = {"to_doubtful": False, "to_finished_at": self._tx.now}
        for attempt, ids in self._attempts.items():
            _END_ATTEMPTS.run(connection, attempt.values() | {"to_ended_at": self._tx.now}, keys=ids)
        for wait, ids in self._waiting.items():
            _WAIT.run(connection, wait.values(), keys=ids)
        for end, ids in self._finished.items():
            values = {"to_state": end.state, "to_reason": end.reason}
            _FINISH.run(connection, values | fixed, keys=ids)
            _SETTLE_OBLIGATIONS.run(connection, values | {"to_state": _OBLIGATION[end.state]}, keys=ids)
        if self._sent:  # it will not be sent again; what died is kept whole
            _DROP_BODIES.run(connection, keys=sorted(self._sent))
        for row, sent, left in self._grouped:
            advance_group(self._tx, row, sent=sent, left=left)

    def stand_in(self, fallbacks: Mapping[int, tuple[Fallback, ...]]) -> None:
        """Let stand-ins have what died, by channel, and cover what they have confirmed."""
        for channel_id, stand_ins in fallbacks.items():
            dead = [row for row in self._died if row.channel_id == channel_id]
            standing_in.fall_back(self._tx, stand_ins, dead)
        ended = [delivery_id for ids in self._finished.values() for delivery_id in ids]
        alert_ids = alerts_in(self._tx, ended + self._late)
        self._alerts = alert_ids | standing_in.cover(self._tx, alert_ids)

    def settle_alerts(self) -> dict[str, list[float]]:
        """Bring the alerts of finished deliveries to the state that their obligations say, and owe their read marks.

        Returns for each sent delivery the seconds from the vendor's creation, an alert each.
        """
        latencies: dict[str, list[float]] = defaultdict(list)
        for rows in settle_alerts(self._tx, self._alerts).values():
            for row in rows:
                if row.delivery_id in self._sent:
                    latencies[row.delivery_id].append((self._tx.now - row.created_at).total_seconds())
        return latencies


def _state_after(outcome: Outcome) -> DeliveryState:
    if outcome.verdict is None:
        return DeliveryState.SENT
    return DeliveryState.DEAD if outcome.dead else DeliveryState.PENDING
