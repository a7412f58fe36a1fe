"""Channels that are in the configuration no more: what waits for them can never be sent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select

from bellwire.ledger.settling import Changes
from bellwire.ledger.tables import WAITING, channels, deliveries
from bellwire.model import ChannelKey, DeliveryState

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from bellwire.ledger.transaction import Transaction
    from bellwire.ledger.types import AnyRow

REASON = "channel_removed"

_BATCH = 500  # bounds the transaction: others wait for it


def retire_channels(tx: Transaction, questions: Sequence[Collection[ChannelKey]]) -> list[int]:
    """Let some of what waits for any channel but these die; return how many deliveries did: 0 once none is left."""
    return [_retire(tx, set(kept)) for kept in questions]


def _retire(tx: Transaction, kept: set[ChannelKey]) -> int:
    gone = [
        row.id
        for row in tx.connection.execute(select(channels.c.id, channels.c.receiver, channels.c.kind, channels.c.name))
        if ChannelKey(receiver=row.receiver, kind=row.kind, name=row.name) not in kept
    ]
    if not gone:
        return 0
    rows: list[AnyRow] = []
    for channel_id in gone:
        pending = deliveries.c.state == DeliveryState.PENDING
        waiting = select(deliveries).where(WAITING, deliveries.c.channel_id == channel_id, pending)
        rows += tx.connection.execute(waiting.limit(_BATCH - len(rows))).all()
        if len(rows) == _BATCH:
            break
    changes = Changes(tx)
    for row in rows:
        changes.kill(row, REASON)
    changes.write()
    changes.settle_alerts()
    return len(rows)
