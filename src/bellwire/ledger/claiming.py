"""Handing out deliveries: what is due on a channel, under a lease, no faster than the channel may go.

Membership freezes here; what a message then consists of, `bellwire.ledger.shaping` says. What one alert is owed need not
be claimed: it may be offered, and its first attempt takes it.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from sqlalchemy import Integer, bindparam, case, literal, or_, select

from bellwire.ledger.aging import hold_of, wait_out
from bellwire.ledger.alerts import open_alerts, owed_by
from bellwire.ledger.breaking import CHANNEL
from bellwire.ledger.bucket import Bucket
from bellwire.ledger.grouping import left_with_groups
from bellwire.ledger.prepared import KEYS, Prepared
from bellwire.ledger.repeating import tally
from bellwire.ledger.resending import sent_before
from bellwire.ledger.screening import screen
from bellwire.ledger.shaping import merge_late, split
from bellwire.ledger.tables import (
    CLAIMABLE,
    SENDING,
    deliveries,
    delivery_bodies,
)
from bellwire.ledger.transaction import in_chunks
from bellwire.ledger.types import Instant
from bellwire.model import DeliveryKind, DeliveryState, Message
from bellwire.records import Claim, Claims

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from bellwire.ledger.transaction import Transaction
    from bellwire.ledger.types import AnyRow
    from bellwire.records import ChannelPolicy

_LOOKS = 8
"""How often one claim looks for more in place of what may not go."""

_EXPIRED = Prepared(
    select(deliveries.c.id).where(
        SENDING,
        deliveries.c.channel_id == bindparam("channel"),
        deliveries.c.lease_until <= bindparam("now", type_=Instant),
    )
)
_FIRST_LEASE = Prepared(
    select(deliveries.c.lease_until)
    .where(SENDING, deliveries.c.channel_id == bindparam("channel"))
    .order_by(deliveries.c.lease_until)
    .limit(1)
)
_HEADS = Prepared(
    select(
        deliveries.c.id,
        deliveries.c.channel_id,
        deliveries.c.kind,
        deliveries.c.group_key,
        deliveries.c.group_labels,
        deliveries.c.group_interval,
        deliveries.c.part,
        deliveries.c.parts,
        deliveries.c.origin,
        deliveries.c.due_at,
        deliveries.c.attempts,
        deliveries.c.doubtful,
        deliveries.c.first_attempt_at,
        deliveries.c.wanted_at,
        deliveries.c.muting,
        deliveries.c.wall_due_at,
    )
    .where(CLAIMABLE, deliveries.c.channel_id == bindparam("channel"))
    .order_by(deliveries.c.due_at, deliveries.c.id)
    .limit(bindparam("limit", type_=Integer))
    .with_for_update(skip_locked=True)  # other replicas, where the database has any; SQLite leaves it out
)
_BODIES = Prepared(
    select(delivery_bodies.c.delivery_id, delivery_bodies.c.body).where(delivery_bodies.c.delivery_id.in_(KEYS))
)
_TAKE = Prepared(
    deliveries.update()
    .where(deliveries.c.id.in_(KEYS))
    .values(
        state=DeliveryState.SENDING, open=False, owner=bindparam("to_owner"), lease_until=bindparam("to_lease_until")
    )
)


def claim_deliveries(tx: Transaction, questions: Sequence[tuple[ChannelPolicy, int]]) -> list[Claims]:
    """Take due deliveries for each channel, at most so many."""
    return [_claim(tx, policy, limit) for policy, limit in questions]


def offer_deliveries(
    tx: Transaction, questions: Sequence[tuple[ChannelPolicy, int, Collection[str] | None]]
) -> list[Claims]:
    """Take due deliveries for each channel, at most so many; only offer those that an attempt can take as well.

    That spares them a write. With each channel come those that are on offer already; None: everything is taken.
    """
    return [_claim(tx, policy, limit, offered) for policy, limit, offered in questions]


def recover(tx: Transaction, questions: Sequence[None]) -> list[int]:
    """Take back every claim: their owners are gone. Return how many may have been sent and must be resolved."""
    claimed = select(deliveries.c.id, deliveries.c.doubtful).where(SENDING)
    rows = tx.connection.execute(claimed).all()
    release(tx, [row.id for row in rows])
    return [sum(row.doubtful for row in rows)] * len(questions)


def unclaim(tx: Transaction, batches: Sequence[Sequence[str]]) -> list[None]:
    """Give back claims of ours: what was never started is as it was, what was is in doubt."""
    for some in in_chunks([delivery_id for batch in batches for delivery_id in batch]):
        mine = select(deliveries.c.id).where(deliveries.c.id.in_(some), SENDING, deliveries.c.owner == tx.owner)
        release(tx, list(tx.connection.execute(mine).scalars()))
    return [None] * len(batches)


def release(tx: Transaction, ids: Sequence[str]) -> None:
    """Give back claims, whoever has them. They keep their turn, but those in doubt."""
    gone = deliveries.c.doubtful, deliveries.c.due_at > tx.now
    due_at = case((or_(*gone), literal(tx.now, Instant)), else_=deliveries.c.due_at)
    free = {"state": DeliveryState.PENDING, "owner": None, "lease_until": None, "due_at": due_at}
    for some in in_chunks(ids):
        tx.connection.execute(deliveries.update().where(deliveries.c.id.in_(some)).values(free))
    tx.move("deliveries", DeliveryState.SENDING, DeliveryState.PENDING, len(ids))


def _claim(tx: Transaction, policy: ChannelPolicy, limit: int, offered: Collection[str] | None = None) -> Claims:
    channel_id = tx.channel_id(policy.key)
    channel = CHANNEL.first(tx.connection, {"key": channel_id})
    _expire_leases(tx, channel_id)
    if hold := hold_of(channel, tx.served_since(policy.key), tx.now):
        return wait_out(tx, policy, channel, hold)
    if channel.broken_since is not None:  # one probe at a time
        limit = 0 if _sending(tx, channel_id) else 1
    bucket = Bucket(policy.rate, channel, tx.now) if policy.rate else None
    if bucket:
        limit = min(limit, bucket.whole)
        if limit and channel.broken_since is None:
            merge_late(tx, policy, channel_id, limit)
    due, later = _due(tx, policy, channel_id, limit, offered or ())
    by_offer = offered is not None and bucket is None and channel.broken_since is None
    on_offer = {row.id for row in due if by_offer and _is_alone(row)}
    if taken := [row for row in due if row.id not in on_offer]:
        _take(tx, policy, taken)
    if bucket:
        bucket.spend(tx, channel_id, len(due))
    wake = _next_due(tx, later, bucket)
    if not due:
        # Whoever has a claim may be gone: then the end of its lease is what there is to wait for.
        first = _FIRST_LEASE.first(tx.connection, {"channel": channel_id})
        wake = min((moment for moment in (wake, first and first.lease_until) if moment), default=None)
    return Claims(claims=_claims(tx, policy, due, channel, on_offer), next_due=wake)


def _is_alone(row: AnyRow) -> bool:
    """Return whether it is one alert's first attempt: nothing joins it, and nothing was sent of it."""
    return row.kind is DeliveryKind.ALERT and not row.attempts and row.wall_due_at is None and row.parts == 1


def _due(
    tx: Transaction, policy: ChannelPolicy, channel_id: int, limit: int, offered: Collection[str]
) -> tuple[list[AnyRow], datetime | None]:
    """Return what is due and may go, and when the next one is due. What may not go is out of the way after this."""
    may_go: list[AnyRow] = []
    for _ in range(_LOOKS):
        rows = _HEADS.all(tx.connection, {"channel": channel_id, "limit": limit + 1 + len(offered)})
        if offered:
            rows = [row for row in rows if row.id not in offered][: limit + 1]
        due = [row for row in rows[:limit] if row.due_at <= tx.now]
        may_go = screen(tx, due)
        if len(may_go) == len(due):
            return may_go, rows[len(due)].due_at if len(rows) > len(due) else None
    tx.due_channels.add(policy.key)  # there is more to look at than one transaction should
    return may_go, None


def _next_due(tx: Transaction, later: datetime | None, bucket: Bucket | None) -> datetime | None:
    """Return when to ask again for what is not claimed; None if the end of a send will say so."""
    if later is None:
        return None
    moment = max(later, bucket.next_at) if bucket else later
    return moment if moment > tx.now else None


def _expire_leases(tx: Transaction, channel_id: int) -> None:
    if expired := _EXPIRED.all(tx.connection, {"channel": channel_id, "now": tx.now}):
        release(tx, [row.id for row in expired])


def _sending(tx: Transaction, channel_id: int) -> bool:
    query = select(deliveries.c.id).where(SENDING, deliveries.c.channel_id == channel_id).limit(1)
    return tx.connection.execute(query).first() is not None


def _take(tx: Transaction, policy: ChannelPolicy, rows: Sequence[AnyRow]) -> None:
    ids = [row.id for row in rows]
    lease = {"to_owner": tx.owner, "to_lease_until": tx.now + timedelta(seconds=policy.lease)}
    _TAKE.run(tx.connection, lease, keys=ids)
    if timed := [row.id for row in rows if row.wall_due_at is not None]:  # its time has come: from now on it is ours
        come = {"wall_due_at": None, "reason": None}
        tx.connection.execute(deliveries.update().where(deliveries.c.id.in_(timed)).values(come))
    tx.move("deliveries", DeliveryState.PENDING, DeliveryState.SENDING, len(ids))
    for row in rows:
        if row.group_key and row.attempts == 0 and row.parts == 1:
            split(tx, policy, row)


def _claims(
    tx: Transaction, policy: ChannelPolicy, rows: Sequence[AnyRow], channel: AnyRow, on_offer: Collection[str]
) -> tuple[Claim, ...]:
    if not rows:
        return ()
    remote, probe = channel.remote, channel.broken_since is not None
    started = [row.id for row in rows if row.attempts]
    bodies = {row.delivery_id: row.body for row in _BODIES.all(tx.connection, keys=started)}
    frozen = owed_by(tx.connection, list(bodies)) if bodies else {}
    members = open_alerts(tx, [row.id for row in rows if row.id not in bodies])
    members |= sent_before(tx, [row for row in rows if row.id not in bodies and row.id not in members])
    parts = _parts(tx, [row.id for row in rows if row.group_key])
    repeats = tally(tx, [row.id for row in rows if row.id not in bodies])
    left = left_with_groups(tx, rows) if remote else {}  # without it nothing is left with groups either
    return tuple(
        Claim(
            message=Message(
                delivery_id=row.id,
                kind=row.kind,
                receiver=policy.key.receiver,
                alerts=tuple(members.get(row.id, ())),
                group_key=row.group_key,
                group_labels=row.group_labels,
                part=row.part,
                parts=parts.get(row.id, row.parts),
                origin=row.origin,
                suppressed=repeats.get(row.id, 0),
            ),
            kind=row.kind,
            attempts=row.attempts,
            first_attempt_at=row.first_attempt_at,
            doubtful=row.doubtful,
            body=bodies.get(row.id),
            remote=remote,
            group=left.get(row.id, "") if row.group_key else None,
            probe=probe,
            members=tuple(frozen.get(row.id, ())),
            offered_at=tx.now if row.id in on_offer else None,
        )
        for row in rows
    )


def _parts(tx: Transaction, ids: Sequence[str]) -> dict[str, int]:
    """Return the number of parts as it is after splitting."""
    if not ids:
        return {}
    query = select(deliveries.c.id, deliveries.c.parts).where(deliveries.c.id.in_(ids))
    return {row.id: row.parts for row in tx.connection.execute(query)}
