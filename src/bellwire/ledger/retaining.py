"""Retention: what an alert said is forgotten some time after it is settled; that it was, and what came of it, is not."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from sqlalchemy import or_, select

from bellwire.ledger.changes import CHANGED
from bellwire.ledger.ids import least_at
from bellwire.ledger.tables import alert_contents, alert_events, alerts, groups, repeats, shadows, silences
from bellwire.model import AlertState

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from bellwire.ledger.transaction import Transaction

_BATCH = 500  # bounds the transaction: others wait for it

_THREADS_LAST = timedelta(days=1)

_FORGETTABLE = (AlertState.DELIVERED, AlertState.SUPPRESSED)  # dead ones may yet be replayed


def strip_contents(tx: Transaction, moments: Sequence[datetime]) -> list[int]:
    """Forget the contents of some alerts settled before each moment; return how many: 0 once there are no more."""
    return [_strip(tx, before) for before in moments]


def _strip(tx: Transaction, before: datetime) -> int:
    settled = (
        select(alert_contents.c.alert_id)
        .join(alerts, alerts.c.id == alert_contents.c.alert_id)
        .where(
            alert_contents.c.alert_id < least_at(before),  # settled before, so recorded before: bounds the search
            alerts.c.settled_at < before,
            alerts.c.state.in_(_FORGETTABLE),
        )
        .order_by(alert_contents.c.alert_id)
        .limit(_BATCH)
    )
    ids = list(tx.connection.execute(settled).scalars())
    if ids:
        tx.connection.execute(alert_contents.delete().where(alert_contents.c.alert_id.in_(ids)))
        changed = alert_events.c.alert_id.in_(ids), alert_events.c.kind == CHANGED  # what they say is content, too
        tx.connection.execute(alert_events.delete().where(*changed))
    return len(ids)


def forget_passed(tx: Transaction, moments: Sequence[datetime]) -> list[None]:
    """Forget shadows and repeats that have passed, and silences that ended before each moment.

    Suppressed repeats that no message has spoken of yet are remembered until then too. So is what channels left with
    groups: it may hold a title.
    """
    for before in moments:
        tx.connection.execute(shadows.delete().where(shadows.c.until <= tx.now))
        spoken_of = or_(repeats.c.suppressed == 0, repeats.c.until <= before)
        tx.connection.execute(repeats.delete().where(repeats.c.until <= tx.now, spoken_of))
        tx.connection.execute(silences.delete().where(silences.c.ends_at <= before))
        ended = groups.c.last_message_at <= min(before, tx.now - _THREADS_LAST)
        tx.connection.execute(groups.update().where(groups.c.remote != "", ended).values(remote=""))
    return [None] * len(moments)
