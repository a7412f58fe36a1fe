"""Groups: one message of each at a time, the next one after the group's interval."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from bellwire.ledger.tables import UNFINISHED, deliveries, groups

if TYPE_CHECKING:
    from bellwire.ledger.transaction import Transaction
    from bellwire.ledger.types import AnyRow


def advance_group(tx: Transaction, row: AnyRow, *, sent: bool) -> None:
    """Let the next delivery of the group go, no sooner than the group's interval after what was sent."""
    if sent:
        key = {"channel_id": row.channel_id, "group_key": row.group_key}
        known = tx.connection.execute(select(groups.c.last_message_at).filter_by(**key)).first()
        values: dict[str, Any] = {"last_message_at": tx.now}
        tx.connection.execute(
            groups.update().filter_by(**key).values(values) if known else groups.insert().values(key | values)
        )
    waiting = (
        select(deliveries)
        .where(UNFINISHED, deliveries.c.channel_id == row.channel_id, deliveries.c.group_key == row.group_key)
        .order_by(deliveries.c.id)
        .limit(1)
    )
    following = tx.connection.execute(waiting).first()
    if following is None:
        return
    interval = timedelta(seconds=row.group_interval if sent and following.part == 1 else 0)
    values = {"head": True, "due_at": max(following.due_at, tx.now + interval)}
    tx.connection.execute(deliveries.update().where(deliveries.c.id == following.id).values(values))
