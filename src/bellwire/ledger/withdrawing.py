"""Taking back what is owed: an obligation that another channel has met, or that nobody wants met any more.

It leaves its delivery. A waiting delivery with nothing open in it ends as suppressed, and its group goes on; so does a
dead one with nothing dead in it. What is being sent, or is in doubt, is never taken back: it may have arrived. Neither is
a part of a message whose body is frozen: that is taken back whole, or not at all.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Protocol

from sqlalchemy import and_, bindparam, exists, select

from bellwire.ledger.grouping import advance_group
from bellwire.ledger.tables import deliveries, delivery_bodies, obligations
from bellwire.ledger.transaction import in_chunks
from bellwire.model import DeliveryState, ObligationState

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from bellwire.ledger.transaction import Transaction
    from bellwire.ledger.types import AnyRow

Owed = tuple[str, int]
"""An alert's id and a channel's."""


class Owing(Protocol):
    """An obligation, and the delivery that is to meet it."""

    @property
    def alert_id(self) -> str:
        """The alert that is owed."""
        ...

    @property
    def channel_id(self) -> int:
        """The channel that it is owed to."""
        ...

    @property
    def delivery_id(self) -> str:
        """The message that names it."""
        ...


_LEAVE = (
    obligations.update()
    .where(obligations.c.alert_id == bindparam("alert"), obligations.c.channel_id == bindparam("channel"))
    .values(state=bindparam("to_state"), reason=bindparam("to_reason"), detail=bindparam("to_detail"))
)
_WITH_DELIVERY = (
    select(
        obligations.c.alert_id,
        obligations.c.channel_id,
        obligations.c.delivery_id,
        deliveries.c.attempts,
    )
    .join(deliveries, deliveries.c.id == obligations.c.delivery_id)
    .where(
        obligations.c.alert_id.in_(bindparam("keys", expanding=True)),
        obligations.c.state == ObligationState.OPEN,
        deliveries.c.state == DeliveryState.PENDING,
        ~deliveries.c.doubtful,
    )
)
_OPEN_MEMBERS = select(obligations.c.delivery_id, obligations.c.alert_id, obligations.c.channel_id).where(
    obligations.c.delivery_id.in_(bindparam("keys", expanding=True)), obligations.c.state == ObligationState.OPEN
)


def waiting(tx: Transaction, alert_ids: Collection[str]) -> list[AnyRow]:
    """Return the open obligations of these alerts that are not being sent or in doubt.

    Each with ``alert_id``, ``channel_id``, ``delivery_id`` and the delivery's ``attempts``.
    """
    return [
        row for some in in_chunks(sorted(alert_ids)) for row in tx.connection.execute(_WITH_DELIVERY, {"keys": some})
    ]


def open_members(tx: Transaction, delivery_ids: Collection[str]) -> dict[str, set[Owed]]:
    """Return what each of these deliveries still owes."""
    members: dict[str, set[Owed]] = defaultdict(set)
    for some in in_chunks(sorted(delivery_ids)):
        for row in tx.connection.execute(_OPEN_MEMBERS, {"keys": some}):
            members[row.delivery_id].add((row.alert_id, row.channel_id))
    return members


def without_torn(tx: Transaction, rows: Sequence[AnyRow]) -> list[AnyRow]:
    """Return those of `waiting`'s rows that may be taken back: of a frozen message all, or none."""
    wanted = {(row.alert_id, row.channel_id) for row in rows}
    frozen = {row.delivery_id for row in rows if row.attempts}
    torn = {each for each, members in open_members(tx, frozen).items() if not members <= wanted}
    return [row for row in rows if row.delivery_id not in torn]


def withdraw(
    tx: Transaction,
    rows: Sequence[AnyRow] | Sequence[Owing],
    state: ObligationState,
    reason: str,
    detail: str | None = None,
) -> None:
    """Take back these obligations, and end what nothing keeps.

    The alerts are the caller's to settle.
    """
    if not rows:
        return
    values = {"to_state": state, "to_reason": reason, "to_detail": detail}
    tx.connection.execute(_LEAVE, [{"alert": row.alert_id, "channel": row.channel_id} | values for row in rows])
    tx.suppressed[reason] += len(rows)
    end_empty(tx, {row.delivery_id for row in rows}, reason)


def end_empty(tx: Transaction, delivery_ids: Collection[str], reason: str) -> None:
    """End those of these deliveries that wait with nothing open in them, or are dead with nothing dead in them."""
    for some in in_chunks(sorted(delivery_ids)):
        for delivery_state, kept_by in _KEPT_BY:
            member = exists().where(obligations.c.delivery_id == deliveries.c.id, obligations.c.state == kept_by)
            empty = and_(deliveries.c.id.in_(some), deliveries.c.state == delivery_state, ~member)
            _end(tx, tx.connection.execute(select(deliveries).where(empty)).all(), reason)


_KEPT_BY = (
    (DeliveryState.PENDING, ObligationState.OPEN),
    (DeliveryState.DEAD, ObligationState.DEAD),
)


def _end(tx: Transaction, rows: Sequence[AnyRow], reason: str) -> None:
    if not rows:
        return
    ids = [row.id for row in rows]
    ended = {"state": DeliveryState.SUPPRESSED, "reason": reason, "finished_at": tx.now, "open": False}
    tx.connection.execute(deliveries.update().where(deliveries.c.id.in_(ids)).values(ended))
    tx.connection.execute(delivery_bodies.delete().where(delivery_bodies.c.delivery_id.in_(ids)))
    for row in rows:
        tx.move("deliveries", row.state, DeliveryState.SUPPRESSED)
        # A delivery that waited behind another of its group holds up nobody.
        if row.state is DeliveryState.PENDING and row.group_key and row.head:
            advance_group(tx, row, sent=False)
            tx.wake_all = True  # its next message may go at once
