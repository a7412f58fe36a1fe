"""Channels that are in the configuration no more: what waits for them can never be sent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select

from bellwire.ledger.settling import Changes
from bellwire.ledger.tables import channels, deliveries
from bellwire.model import ChannelKey, DeliveryState

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from bellwire.ledger.transaction import Transaction

REASON = "channel_removed"


def retire_channels(tx: Transaction, questions: Sequence[Collection[ChannelKey]]) -> list[int]:
    """Let what waits for any channel but these die; return how many deliveries did."""
    return [_retire(tx, set(kept)) for kept in questions]


def _retire(tx: Transaction, kept: set[ChannelKey]) -> int:
    gone = [
        row.id
        for row in tx.connection.execute(select(channels.c.id, channels.c.receiver, channels.c.kind, channels.c.name))
        if ChannelKey(receiver=row.receiver, kind=row.kind, name=row.name) not in kept
    ]
    if not gone:
        return 0
    waiting = select(deliveries).where(deliveries.c.channel_id.in_(gone), deliveries.c.state == DeliveryState.PENDING)
    rows = tx.connection.execute(waiting).all()
    changes = Changes(tx)
    for row in rows:
        changes.kill(row, REASON)
    changes.write()
    changes.settle_alerts()
    return len(rows)
