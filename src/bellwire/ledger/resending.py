"""What is sent once more, though it was sent: on someone's order, owing nothing, so that no settlement depends on it.

Such a delivery has no obligations. It names what its origin sent; of several parts, each its share.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, TypeVar

from sqlalchemy import bindparam, select

from bellwire.ledger.alerts import alerts_of
from bellwire.ledger.standing_in import Member
from bellwire.ledger.tables import alert_contents, obligations
from bellwire.model import DeliveryKind, ObligationState

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bellwire.ledger.transaction import Transaction
    from bellwire.ledger.types import AnyRow
    from bellwire.model import Alert

T = TypeVar("T")

_SENT_BY = (
    select(
        obligations.c.alert_id,
        obligations.c.channel_id,
        obligations.c.delivery_id,
        alert_contents.c.alert_id.is_not(None).label("kept"),
    )
    .outerjoin(alert_contents, alert_contents.c.alert_id == obligations.c.alert_id)
    .where(obligations.c.delivery_id == bindparam("key"), obligations.c.state == ObligationState.SENT)
    .order_by(obligations.c.alert_id)
)


def sent_members(tx: Transaction, delivery_id: str | None) -> list[Member]:
    """Return what a delivery sent; nothing if what some of it said is no longer kept."""
    rows = tx.connection.execute(_SENT_BY, {"key": delivery_id}).all()
    if not all(row.kept for row in rows):
        return []
    return [Member(row.alert_id, row.channel_id, row.delivery_id) for row in rows]


def sent_before(tx: Transaction, rows: Sequence[AnyRow]) -> dict[str, list[Alert]]:
    """Return the alerts of those of these deliveries that name what another sent."""
    again = [row for row in rows if row.kind is DeliveryKind.REPLAY]
    if not again:
        return {}
    sent = alerts_of(tx.connection, sorted({row.origin for row in again}), ObligationState.SENT)
    return {row.id: list(part_of(sent.get(row.origin, []), row.part, row.parts)) for row in again}


def part_of(named: Sequence[T], part: int, parts: int) -> Sequence[T]:
    """Return what one part of so many names."""
    size = math.ceil(len(named) / parts)
    return named[(part - 1) * size : part * size]
