"""Stand-ins: who gets an alert where a channel is dead or does not get through, and what that settles.

Each alert of such a delivery is owed to every channel of each fallback receiver that neither has it nor had it, by one
delivery for each of these channels. Once every channel of one stand-in has confirmed the alert, the obligation that it
stood in for is covered. Stand-ins have none of their own: their deliveries are born as fallen back, and so are replays.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import Integer, and_, bindparam, select

from bellwire.ledger.prepared import Prepared
from bellwire.ledger.settlement import settle_alerts
from bellwire.ledger.tables import LATE, deliveries, obligations, stand_ins
from bellwire.ledger.transaction import in_chunks
from bellwire.ledger.types import Instant
from bellwire.ledger.withdrawing import Owed, open_members, waiting, withdraw, without_torn
from bellwire.model import DeliveryKind, DeliveryState, ObligationState
from bellwire.records import FellBack

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence
    from datetime import datetime

    from bellwire.ledger.transaction import Transaction
    from bellwire.ledger.types import AnyRow
    from bellwire.model import ChannelKey
    from bellwire.records import ChannelPolicy, Fallback

COVERED = "covered"
"""Why a delivery, or an obligation, is no longer wanted."""

_BATCH = 200  # deliveries: bounds the transaction, others wait for it

_LATE = (
    select(deliveries)
    .where(
        LATE,
        deliveries.c.channel_id == bindparam("channel"),
        deliveries.c.wanted_at <= bindparam("before", type_=Instant),
    )
    .order_by(deliveries.c.wanted_at, deliveries.c.id)
    .limit(bindparam("limit", type_=Integer))
)
_NEXT_LATE = (
    select(deliveries.c.wanted_at)
    .where(LATE, deliveries.c.channel_id == bindparam("channel"), deliveries.c.wanted_at.is_not(None))
    .order_by(deliveries.c.wanted_at)
    .limit(1)
)
_UNMET = select(obligations.c.alert_id, obligations.c.channel_id, obligations.c.delivery_id).where(
    obligations.c.delivery_id.in_(bindparam("keys", expanding=True)),
    obligations.c.state.in_([ObligationState.OPEN, ObligationState.DEAD]),
)
_OWED = select(obligations.c.alert_id, obligations.c.channel_id, obligations.c.state, obligations.c.delivery_id).where(
    obligations.c.alert_id.in_(bindparam("keys", expanding=True))
)
_STANDING = select(stand_ins).where(stand_ins.c.alert_id.in_(bindparam("keys", expanding=True)))
_ANY_STANDING = Prepared(select(stand_ins.c.alert_id).limit(1))
_CONFIRMED = (
    select(stand_ins, obligations.c.state)
    .outerjoin(
        obligations,
        and_(
            obligations.c.alert_id == stand_ins.c.alert_id,
            obligations.c.channel_id == stand_ins.c.by_channel_id,
        ),
    )
    .where(stand_ins.c.alert_id.in_(bindparam("keys", expanding=True)))
    .order_by(stand_ins.c.alert_id, stand_ins.c.channel_id, stand_ins.c.receiver)
)


class Member(NamedTuple):
    """An alert that a channel did not get; ``delivery_id`` is where it was owed."""

    alert_id: str
    channel_id: int
    delivery_id: str


# --- falling back ----------------------------------------------------------------------------------------------------


def fall_back_late(tx: Transaction, questions: Sequence[Sequence[ChannelPolicy]]) -> list[FellBack]:
    """Give stand-ins some of what has been wanted for too long on each of these channels, the oldest first."""
    return [_fall_back_late(tx, policies) for policies in questions]


def _fall_back_late(tx: Transaction, policies: Sequence[ChannelPolicy]) -> FellBack:
    number = 0
    due: list[datetime] = []
    for policy in policies:
        channel_id, patience = tx.channel_id(policy.key), timedelta(seconds=policy.fallback_after)
        before, left = tx.now - patience, _BATCH - number
        rows = tx.connection.execute(_LATE, {"channel": channel_id, "before": before, "limit": left}).all()
        alert_ids = fall_back(tx, policy.fallbacks, rows)
        settle_alerts(tx, alert_ids | cover(tx, alert_ids))
        number += len(rows)
        oldest = tx.connection.execute(_NEXT_LATE, {"channel": channel_id}).scalar_one_or_none()
        # What comes from now on is late no sooner than this, so that nobody need wake us for it.
        due.append(min(oldest or tx.now, tx.now) + patience)
    return FellBack(deliveries=number, next_due=max(tx.now, min(due)))


def fall_back(tx: Transaction, fallbacks: Sequence[Fallback], rows: Sequence[AnyRow]) -> set[str]:
    """Owe what these deliveries of one channel did not get through to its stand-ins; return the alerts.

    Nothing is looked at twice: the deliveries count as fallen back from now on, and take no more members.
    """
    if not rows or not fallbacks:
        return set()
    ids = [row.id for row in rows]
    members = unmet(tx, ids)
    for fallback in fallbacks:
        stand_in(tx, fallback, members)
    owed = owed_by(tx, {member.alert_id for member in members})
    by_delivery = {row.id: row for row in rows}
    for key in dict.fromkeys(key for fallback in fallbacks for key in fallback.channels):
        channel_id = tx.channel_id(key)
        missing = [member for member in members if (member.alert_id, channel_id) not in owed]
        for delivery_id, of_one in itertools.groupby(missing, key=lambda member: member.delivery_id):
            owe(tx, key, by_delivery[delivery_id], [each.alert_id for each in of_one], DeliveryKind.FALLBACK)
    for some in in_chunks(ids):
        asked = deliveries.update().where(deliveries.c.id.in_(some))
        tx.connection.execute(asked.values(fallen_back=True, open=False))
    return {member.alert_id for member in members}


def unmet(tx: Transaction, delivery_ids: Sequence[str]) -> list[Member]:
    """Return what these deliveries owe, or died with: in their order, each one's the oldest first."""
    found: dict[str, list[Member]] = defaultdict(list)
    for some in in_chunks(delivery_ids):
        for row in tx.connection.execute(_UNMET, {"keys": some}):
            found[row.delivery_id].append(Member(row.alert_id, row.channel_id, row.delivery_id))
    return [member for delivery_id in delivery_ids for member in sorted(found[delivery_id])]


def stand_in(tx: Transaction, fallback: Fallback, members: Sequence[Member]) -> None:
    """Write who may cover these."""
    known: set[tuple[str, int, str, int]] = set()
    for some in in_chunks(sorted({member.alert_id for member in members})):
        rows = tx.connection.execute(_STANDING, {"keys": some})
        known.update((row.alert_id, row.channel_id, row.receiver, row.by_channel_id) for row in rows)
    wanted = {
        (member.alert_id, member.channel_id, fallback.receiver, tx.channel_id(key))
        for member in members
        for key in fallback.channels
    }
    names = ("alert_id", "channel_id", "receiver", "by_channel_id")
    if new := [dict(zip(names, each, strict=True)) for each in sorted(wanted - known)]:
        tx.connection.execute(stand_ins.insert(), new)


def owe(tx: Transaction, key: ChannelKey, origin: AnyRow, alert_ids: Sequence[str], kind: DeliveryKind) -> str:
    """Owe these alerts to a channel that never owed them, by a new delivery; return its id."""
    channel_id = tx.channel_id(key)
    delivery_id = begin(tx, key, origin, len(alert_ids), kind)
    new = {"channel_id": channel_id, "delivery_id": delivery_id, "state": ObligationState.OPEN}
    tx.connection.execute(obligations.insert(), [{"alert_id": each} | new for each in alert_ids])
    return delivery_id


def begin(tx: Transaction, key: ChannelKey, origin: AnyRow, size: int, kind: DeliveryKind, /, **values: Any) -> str:
    """Begin a delivery that stands for ``origin``, due now; return its id. It has no stand-ins.

    ``size`` is how many alerts it names; ``values`` are columns that differ from what is usual.
    """
    delivery_id = tx.new_id()
    row: dict[str, Any] = {
        "id": delivery_id,
        "channel_id": tx.channel_id(key),
        "kind": kind,
        "state": DeliveryState.PENDING,
        # A group of its own keeps the parts in order, if one message cannot hold it.
        "group_key": f"{kind} {origin.id}" if size > 1 else "",
        "group_labels": origin.group_labels,
        "group_interval": 0.0,
        "head": True,
        "open": False,
        "part": 1,
        "parts": 1,
        "origin": origin.id,
        "due_at": tx.now,
        "wanted_at": tx.now,
        "fallen_back": True,
        "attempts": 0,
        "doubtful": False,
        "created_at": tx.now,
    }
    tx.connection.execute(deliveries.insert(), row | values)
    tx.count("deliveries.pending")
    tx.due_channels.add(key)
    return delivery_id


def owed_by(tx: Transaction, alert_ids: Collection[str]) -> dict[Owed, AnyRow]:
    """Return the obligations of these alerts, to whatever channel."""
    return {
        (row.alert_id, row.channel_id): row
        for some in in_chunks(sorted(alert_ids))
        for row in tx.connection.execute(_OWED, {"keys": some})
    }


def merged_values(rows: Sequence[AnyRow]) -> dict[str, Any]:
    """Return what these deliveries are as one: who stands in for others stays so, and nobody's patience is lengthened."""
    if rows[0].kind is DeliveryKind.FALLBACK:
        origins = {row.origin for row in rows}
        return {"kind": DeliveryKind.FALLBACK, "origin": origins.pop() if len(origins) == 1 else None}
    still_asked = [row.wanted_at for row in rows if not row.fallen_back]
    if not still_asked:
        return {"fallen_back": True}
    return {"fallen_back": False, "wanted_at": min((at for at in still_asked if at), default=None)}


# --- covering --------------------------------------------------------------------------------------------------------


def cover(tx: Transaction, alert_ids: Collection[str]) -> set[str]:
    """Cover what stand-ins have confirmed of these alerts; return those of which something was. They are not settled yet.

    What is being sent or in doubt is left: the outcome says more. It is looked at again after that.
    """
    if not alert_ids or _ANY_STANDING.first(tx.connection) is None:
        return set()
    confirmed = set(_confirmed(tx, alert_ids))
    if not confirmed:
        return set()
    frozen = {row.delivery_id for row in waiting(tx, alert_ids) if row.attempts}
    # Whoever shares a frozen message with these may have been confirmed before them.
    confirmed |= set(
        _confirmed(tx, {alert_id for members in open_members(tx, frozen).values() for alert_id, _ in members})
    )
    of_these = {alert_id for alert_id, _ in confirmed}
    dead = [row for key, row in owed_by(tx, of_these).items() if key in confirmed and row.state is ObligationState.DEAD]
    open_ = without_torn(tx, [row for row in waiting(tx, of_these) if (row.alert_id, row.channel_id) in confirmed])
    withdraw(tx, [*dead, *open_], ObligationState.COVERED, COVERED)
    return {row.alert_id for row in (*dead, *open_)}


def _confirmed(tx: Transaction, alert_ids: Collection[str]) -> Iterator[Owed]:
    """Yield what one of its stand-ins has confirmed through every channel."""
    for some in in_chunks(sorted(alert_ids)):
        rows = tx.connection.execute(_CONFIRMED, {"keys": some})
        for (alert_id, channel_id, _), by in itertools.groupby(
            rows, key=lambda row: (row.alert_id, row.channel_id, row.receiver)
        ):
            if all(row.state is ObligationState.SENT for row in by):
                yield alert_id, channel_id
