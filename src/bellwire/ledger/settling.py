"""Attempts and their outcomes: written before the send and after it; what follows from an outcome follows at once."""

from __future__ import annotations

from collections import defaultdict
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, select

from bellwire.ledger import standing_in
from bellwire.ledger.breaking import update_channel
from bellwire.ledger.grouping import advance_group
from bellwire.ledger.settlement import alerts_in, settle_alerts
from bellwire.ledger.tables import (
    SENDING,
    WAITING,
    attempts,
    deliveries,
    delivery_bodies,
    obligations,
)
from bellwire.ledger.transaction import DIED, in_chunks
from bellwire.ledger.types import Instant
from bellwire.model import DeliveryState, ObligationState
from bellwire.records import Settled

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from sqlalchemy import Select

    from bellwire.ledger.transaction import Transaction
    from bellwire.ledger.types import AnyRow
    from bellwire.model import ChannelKey
    from bellwire.records import ChannelPolicy, Fallback, Outcome, Start

# Statements are made once: making them costs more than running them.

_START = (
    deliveries.update()
    .where(deliveries.c.id == bindparam("key"))
    .values(
        attempts=bindparam("to_attempts"),
        doubtful=True,
        first_attempt_at=bindparam("to_first_attempt_at"),
        lease_until=bindparam("to_lease_until"),
    )
)
_END_ATTEMPT = (
    attempts.update()
    .where(attempts.c.delivery_id == bindparam("key"), attempts.c.n == bindparam("number"))
    .values(
        ended_at=bindparam("to_ended_at"),
        outcome=bindparam("to_outcome"),
        reason=bindparam("to_reason"),
        detail=bindparam("to_detail"),
    )
)
_FINISH = (
    deliveries.update()
    .where(deliveries.c.id == bindparam("key"))
    .values(
        state=bindparam("to_state"),
        doubtful=bindparam("to_doubtful"),
        due_at=bindparam("to_due_at"),
        finished_at=bindparam("to_finished_at"),
        reason=bindparam("to_reason"),
        owner=None,
        lease_until=None,
    )
)
_SETTLE_OBLIGATIONS = (
    obligations.update()
    .where(obligations.c.delivery_id == bindparam("key"), obligations.c.state == ObligationState.OPEN)
    .values(state=bindparam("to_state"), reason=bindparam("to_reason"))
)
_CLAIMED = select(deliveries).where(
    SENDING,
    deliveries.c.id.in_(bindparam("keys", expanding=True)),
    deliveries.c.owner == bindparam("owner"),
    deliveries.c.lease_until > bindparam("now", type_=Instant),
)
_UNSETTLED = select(deliveries).where(WAITING, deliveries.c.id.in_(bindparam("keys", expanding=True)))
_DROP_BODIES = delivery_bodies.delete().where(delivery_bodies.c.delivery_id.in_(bindparam("keys", expanding=True)))


def start_attempts(tx: Transaction, batches: Sequence[tuple[ChannelPolicy, Sequence[Start]]]) -> list[list[bool]]:
    """Write an attempt and the frozen body for each, under a new lease; False where the claim is no longer ours."""
    ids = [start.delivery_id for _, starts in batches for start in starts]
    mine = {row.id: row for row in _select(tx, _CLAIMED, ids, owner=tx.owner, now=tx.now)}
    begun: list[dict[str, Any]] = []
    bodies: list[dict[str, Any]] = []
    for policy, starts in batches:
        for start in starts:
            if start.delivery_id not in mine:
                continue
            row = mine[start.delivery_id]
            begun.append(
                {
                    "key": row.id,
                    "to_attempts": row.attempts + 1,
                    "to_first_attempt_at": row.first_attempt_at or tx.now,
                    "to_lease_until": tx.now + timedelta(seconds=policy.lease),
                }
            )
            if row.attempts == 0:
                bodies.append({"delivery_id": row.id, "body": start.body})
    if begun:
        tx.connection.execute(_START, begun)
        made = [{"delivery_id": row["key"], "n": row["to_attempts"], "started_at": tx.now} for row in begun]
        tx.connection.execute(attempts.insert(), made)
    if bodies:
        tx.connection.execute(delivery_bodies.insert(), bodies)
    return [[start.delivery_id in mine for start in starts] for _, starts in batches]


def settle_outcomes(tx: Transaction, batches: Sequence[tuple[ChannelPolicy, Sequence[Outcome]]]) -> list[list[Settled]]:
    """Write the outcomes of attempts, and all that follows: obligations, alerts, read marks, the channel, the group."""
    ids = [outcome.delivery_id for _, outcomes in batches for outcome in outcomes]
    unsettled = {row.id: row for row in _select(tx, _UNSETTLED, ids)}
    changes = Changes(tx)
    by_channel: dict[ChannelKey, tuple[ChannelPolicy, list[Outcome]]] = {}
    for policy, outcomes in batches:
        counted = by_channel.setdefault(policy.key, (policy, []))[1]
        for outcome in outcomes:
            row = unsettled.get(outcome.delivery_id)
            # A success is the truth, whoever has the delivery now; a failure is news only of the last attempt.
            if row is not None and (outcome.verdict is None or outcome.attempt == row.attempts):
                changes.add(outcome, row)
                counted.append(outcome)
                del unsettled[outcome.delivery_id]
    for policy, counted in by_channel.values():
        update_channel(tx, policy, counted)
        tx.due_channels.add(policy.key)
    changes.write()
    changes.stand_in({tx.channel_id(policy.key): policy.fallbacks for policy, _ in by_channel.values()})
    latencies = changes.settle_alerts()
    return [
        [Settled(latencies=tuple(latencies.get(outcome.delivery_id, ()))) for outcome in outcomes]
        for _, outcomes in batches
    ]


def _select(tx: Transaction, query: Select[Any], ids: Sequence[str], **values: Any) -> list[AnyRow]:
    return [row for some in in_chunks(ids) for row in tx.connection.execute(query, {"keys": some} | values)]


class Changes:
    """What a batch of outcomes changes, gathered so that each table is written once.

    In this order: `add` or `kill` each, `write`, `stand_in`, `settle_alerts`.
    """

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx
        self._attempts: list[dict[str, Any]] = []
        self._deliveries: list[dict[str, Any]] = []
        self._obligations: list[dict[str, Any]] = []
        self._sent: set[str] = set()
        self._died: list[AnyRow] = []
        self._late: list[str] = []  # still waiting, and its fallbacks have been asked
        self._alerts: set[str] = set()
        self._grouped: list[tuple[AnyRow, bool, str]] = []

    def add(self, outcome: Outcome, row: AnyRow) -> None:
        """Gather what one outcome changes."""
        now = self._tx.now
        state = _state_after(outcome)
        self._attempts.append(
            {
                "key": outcome.delivery_id,
                "number": outcome.attempt,
                "to_ended_at": now,
                "to_outcome": outcome.verdict or "sent",
                "to_reason": outcome.reason or None,
                "to_detail": outcome.detail or None,
            }
        )
        self._finish(
            row, state, outcome.reason, due_at=outcome.due_at, doubtful=outcome.doubtful, left=outcome.group
        )

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
        finished = state is not DeliveryState.PENDING
        self._deliveries.append(
            {
                "key": row.id,
                "to_state": state,
                "to_doubtful": doubtful and not finished,
                "to_due_at": due_at or row.due_at,
                "to_finished_at": self._tx.now if finished else None,
                "to_reason": reason or None,
            }
        )
        self._tx.move("deliveries", row.state, state)
        if state is DeliveryState.DEAD:
            self._tx.count(f"{DIED}{row.channel_id}")
        if finished:
            sent = state is DeliveryState.SENT
            to_state = ObligationState.SENT if sent else ObligationState.DEAD
            self._obligations.append({"key": row.id, "to_state": to_state, "to_reason": reason or None})
            if sent:
                self._sent.add(row.id)
            elif not row.fallen_back:
                self._died.append(row)
            if row.group_key:
                self._grouped.append((row, sent, left))
        elif row.fallen_back and not doubtful:
            self._late.append(row.id)

    def write(self) -> None:
        """Write them."""
        connection = self._tx.connection
        if self._attempts:
            connection.execute(_END_ATTEMPT, self._attempts)
        if self._deliveries:
            connection.execute(_FINISH, self._deliveries)
        if self._obligations:
            connection.execute(_SETTLE_OBLIGATIONS, self._obligations)
        for some in in_chunks(sorted(self._sent)):
            # What was sent will not be sent again; what died is kept whole.
            connection.execute(_DROP_BODIES, {"keys": some})
        for row, sent, left in self._grouped:
            advance_group(self._tx, row, sent=sent, left=left)

    def stand_in(self, fallbacks: Mapping[int, tuple[Fallback, ...]]) -> None:
        """Let stand-ins have what died, by channel, and cover what they have confirmed."""
        for channel_id, stand_ins in fallbacks.items():
            dead = [row for row in self._died if row.channel_id == channel_id]
            standing_in.fall_back(self._tx, stand_ins, dead)
        alert_ids = alerts_in(self._tx, [row["key"] for row in self._obligations] + self._late)
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
