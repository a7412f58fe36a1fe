"""What a message consists of, as it is claimed: a group too large for one becomes several, and what is late one digest."""

from __future__ import annotations

import itertools
import math
from datetime import timedelta
from typing import TYPE_CHECKING

from sqlalchemy import and_, func, select

from bellwire.ledger.grouping import advance_group
from bellwire.ledger.standing_in import merged_values
from bellwire.ledger.tables import CLAIMABLE, deliveries, obligations
from bellwire.ledger.transaction import in_chunks
from bellwire.model import DeliveryKind, DeliveryState, ObligationState

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bellwire.ledger.transaction import Transaction
    from bellwire.ledger.types import AnyRow
    from bellwire.records import ChannelPolicy


def split(tx: Transaction, policy: ChannelPolicy, row: AnyRow) -> None:
    """Make further deliveries of the members that do not fit into one message, waiting behind it."""
    owed = and_(obligations.c.delivery_id == row.id, obligations.c.state == ObligationState.OPEN)
    query = select(obligations.c.alert_id).where(owed).order_by(obligations.c.alert_id)
    members = list(tx.connection.execute(query).scalars())
    parts = math.ceil(len(members) / policy.max_alerts)
    if parts <= 1:
        return
    tx.connection.execute(deliveries.update().where(deliveries.c.id == row.id).values(parts=parts))
    whole = tx.connection.execute(select(deliveries).where(deliveries.c.id == row.id)).one()
    fixed = {
        "state": DeliveryState.PENDING,
        "head": False,
        "open": False,
        "parts": parts,
        "owner": None,
        "lease_until": None,
    }
    fixed |= {"due_at": tx.now, "wanted_at": min(row.wanted_at or tx.now, tx.now), "wall_due_at": None, "reason": None}
    for number, some in enumerate(in_chunks(members, policy.max_alerts), start=1):
        if number == 1:
            continue
        part = dict(whole._mapping) | fixed | {"id": tx.new_id(), "part": number}  # noqa: SLF001 - SQLAlchemy's public name
        tx.connection.execute(deliveries.insert(), part)
        _move_members(tx, row.id, part["id"], some)
    tx.count("deliveries.pending", parts - 1)


def merge_late(tx: Transaction, policy: ChannelPolicy, channel_id: int, limit: int) -> None:
    """Put what waited longer than the rate limit's ``max_delay`` together, for each message that may be sent now."""
    assert policy.rate is not None
    late_before = tx.now - timedelta(seconds=policy.rate.max_delay)
    late = and_(
        CLAIMABLE,
        deliveries.c.channel_id == channel_id,
        deliveries.c.due_at < late_before,
        deliveries.c.kind.in_([DeliveryKind.ALERT, DeliveryKind.GROUP, DeliveryKind.FALLBACK]),
        deliveries.c.attempts == 0,
        deliveries.c.parts == 1,
    )
    for _ in range(limit):
        query = select(deliveries).where(late).order_by(deliveries.c.due_at, deliveries.c.id).limit(policy.max_alerts)
        waiting = tx.connection.execute(query.with_for_update(skip_locked=True)).all()
        alike = [row for row in waiting if _may_share(row, waiting[0])]
        rows = _that_fit(tx, alike, policy.max_alerts)
        if len(rows) <= 1:
            return
        first, *others = rows
        digest = {"kind": DeliveryKind.DIGEST, "group_key": "", "group_labels": {}, "open": False} | merged_values(rows)
        tx.connection.execute(deliveries.update().where(deliveries.c.id == first.id).values(digest))
        ids = [row.id for row in others]
        for some in in_chunks(ids):
            into_digest = obligations.update().where(obligations.c.delivery_id.in_(some))
            tx.connection.execute(into_digest.values(delivery_id=first.id))
            merged = {"state": DeliveryState.MERGED, "finished_at": tx.now, "reason": f"merged into {first.id}"}
            tx.connection.execute(deliveries.update().where(deliveries.c.id.in_(some)).values(merged))
        tx.move("deliveries", DeliveryState.PENDING, DeliveryState.MERGED, len(ids))
        for row in rows:
            if row.group_key:
                advance_group(tx, row, sent=True)  # the digest is the group's message


def _may_share(row: AnyRow, first: AnyRow) -> bool:
    """Return whether two deliveries may become one digest: its windows are the first one's, and so are its stand-ins."""
    return row.muting == first.muting and (row.kind is DeliveryKind.FALLBACK) is (first.kind is DeliveryKind.FALLBACK)


def _that_fit(tx: Transaction, rows: Sequence[AnyRow], limit: int) -> list[AnyRow]:
    """Return the first of these deliveries, as many as together have at most ``limit`` members."""
    sizes: dict[str, int] = {}
    for some in in_chunks([row.id for row in rows]):
        counted = select(obligations.c.delivery_id, func.count().label("members"))
        owed = and_(obligations.c.delivery_id.in_(some), obligations.c.state == ObligationState.OPEN)
        query = counted.where(owed).group_by(obligations.c.delivery_id)
        sizes |= {row.delivery_id: row.members for row in tx.connection.execute(query)}
    sums = itertools.accumulate(sizes.get(row.id, 0) for row in rows)
    return [row for row, members in zip(rows, sums, strict=True) if members <= limit]


def _move_members(tx: Transaction, old: str, new: str, alert_ids: Sequence[str]) -> None:
    for some in in_chunks(alert_ids):
        moved = and_(obligations.c.delivery_id == old, obligations.c.alert_id.in_(some))
        tx.connection.execute(obligations.update().where(moved).values(delivery_id=new))
