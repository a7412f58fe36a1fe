"""Groups: one message of each at a time, the next one after the group's interval."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, select

from bellwire.ledger.tables import UNFINISHED, deliveries, groups
from bellwire.model import DeliveryKind

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from bellwire.ledger.transaction import Transaction
    from bellwire.ledger.types import AnyRow

_LIFE = timedelta(hours=24)
"""How long after its last message a group ends, unless its interval is longer."""

_LEFT = select(groups).where(
    groups.c.channel_id == bindparam("channel"), groups.c.group_key.in_(bindparam("keys", expanding=True))
)


def group_ends(last_message_at: datetime, interval: timedelta) -> datetime:
    """Return when a group ends whose last message was sent then."""
    return last_message_at + max(interval, _LIFE)


def left_with_groups(tx: Transaction, rows: Sequence[AnyRow]) -> dict[str, str]:
    """Return what the channel left with the groups of these deliveries, all of one channel, by delivery.

    Nothing of a group that had ended when the message was first tried. A digest is no follow-up of the one before it:
    only its further parts follow its first.
    """
    following = [row for row in rows if row.group_key and (row.kind is DeliveryKind.GROUP or row.part > 1)]
    if not following:
        return {}
    keys = sorted({row.group_key for row in following})
    found = tx.connection.execute(_LEFT, {"channel": following[0].channel_id, "keys": keys})
    known = {row.group_key: row for row in found}
    left = {}
    for row in following:
        group = known.get(row.group_key)
        interval = timedelta(seconds=row.group_interval)
        if group and (row.first_attempt_at or tx.now) < group_ends(group.last_message_at, interval):
            left[row.id] = group.remote
    return left


def advance_group(tx: Transaction, row: AnyRow, *, sent: bool, left: str = "") -> None:
    """Let the next delivery of the group go, no sooner than the group's interval after what was sent.

    ``left`` is what the channel leaves with the group: see `bellwire.model.Receipt`.
    """
    if sent:
        key = {"channel_id": row.channel_id, "group_key": row.group_key}
        known = tx.connection.execute(select(groups.c.last_message_at).filter_by(**key)).first()
        values: dict[str, Any] = {"last_message_at": tx.now} | ({"remote": left} if left else {})
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
    due_at = max(following.due_at, tx.now + interval)
    values = {"head": True, "due_at": due_at} | ({"wanted_at": due_at} if interval else {})
    tx.connection.execute(deliveries.update().where(deliveries.c.id == following.id).values(values))
