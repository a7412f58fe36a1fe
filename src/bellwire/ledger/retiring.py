"""Channels that are in the configuration no more: what waits for them can never be sent. Their stand-ins get it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select

from bellwire.ledger.ending import Endings
from bellwire.ledger.tables import WAITING, channels, deliveries
from bellwire.model import ChannelKey, DeliveryState

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from bellwire.ledger.transaction import Transaction
    from bellwire.ledger.types import AnyRow
    from bellwire.records import Fallback

    StandIns = Mapping[str, tuple[Fallback, ...]]
    """Who stands in for each receiver, by name."""

REASON = "channel_removed"

_BATCH = 500  # bounds the transaction: others wait for it


def retire_channels(tx: Transaction, questions: Sequence[tuple[Collection[ChannelKey], StandIns]]) -> list[int]:
    """Let some of what waits for any channel but these die; return how many deliveries did: 0 once none is left.

    With each come the stand-ins of receivers, those that are gone among them.
    """
    return [_retire(tx, set(kept), stand_ins) for kept, stand_ins in questions]


def _retire(tx: Transaction, kept: set[ChannelKey], stand_ins: StandIns) -> int:
    gone = {
        row.id: stand_ins.get(row.receiver, ())
        for row in tx.connection.execute(select(channels.c.id, channels.c.receiver, channels.c.kind, channels.c.name))
        if ChannelKey(receiver=row.receiver, kind=row.kind, name=row.name) not in kept
    }
    if not gone:
        return 0
    rows: list[AnyRow] = []
    for channel_id in gone:
        pending = deliveries.c.state == DeliveryState.PENDING
        waiting = select(deliveries).where(WAITING, deliveries.c.channel_id == channel_id, pending)
        rows += tx.connection.execute(waiting.limit(_BATCH - len(rows))).all()
        if len(rows) == _BATCH:
            break
    endings = Endings(tx)
    for row in rows:
        endings.kill(row, REASON)
    endings.write()
    endings.stand_in(gone)
    endings.settle_alerts()
    return len(rows)
