"""What is sent once more, though nothing of it is owed: what was sent, or what a stand-in has covered.

It is done on someone's order and owes nothing, so that no settlement depends on it: such a delivery has no obligations. It
names what its origin sent, or would have; of several parts, each its share.
"""

from __future__ import annotations

import math
from operator import attrgetter
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

_DONE = (ObligationState.SENT, ObligationState.COVERED)

_SENT_BY = (
    select(
        obligations.c.alert_id,
        obligations.c.channel_id,
        obligations.c.delivery_id,
        alert_contents.c.alert_id.is_not(None).label("kept"),
    )
    .outerjoin(alert_contents, alert_contents.c.alert_id == obligations.c.alert_id)
    .where(obligations.c.delivery_id == bindparam("key"), obligations.c.state.in_(_DONE))
    .order_by(obligations.c.alert_id)
)


def sent_members(tx: Transaction, delivery_id: str | None) -> list[Member]:
    """Return what a delivery sent, or a stand-in covered; nothing if what some of it said is no longer kept."""
    rows = tx.connection.execute(_SENT_BY, {"key": delivery_id}).all()
    if not all(row.kept for row in rows):
        return []
    return [Member(row.alert_id, row.channel_id, row.delivery_id) for row in rows]


def sent_before(tx: Transaction, rows: Sequence[AnyRow]) -> dict[str, list[Alert]]:
    """Return the alerts of those of these deliveries that name what another sent."""
    again = [row for row in rows if row.kind is DeliveryKind.REPLAY]
    if not again:
        return {}
    origins = sorted({row.origin for row in again})
    done: dict[str, list[Alert]] = {}
    for state in _DONE:
        for origin, alerts in alerts_of(tx.connection, origins, state).items():
            done.setdefault(origin, []).extend(alerts)
    for alerts in done.values():
        alerts.sort(key=attrgetter("id"))
    return {row.id: list(part_of(done.get(row.origin, []), row.part, row.parts)) for row in again}


def part_of(named: Sequence[T], part: int, parts: int) -> Sequence[T]:
    """Return what one part of so many names."""
    size = math.ceil(len(named) / parts)
    return named[(part - 1) * size : part * size]
