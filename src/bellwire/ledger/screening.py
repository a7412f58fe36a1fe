"""A last look at what is about to be claimed: a silence may have come meanwhile, a window may have closed.

What is in doubt is left alone, because it may have arrived; so is a replay, which someone asked for. Of a message whose
body is frozen all is stopped, or nothing. What was suppressed is not revived.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import select

from bellwire.ledger.alerts import open_alerts
from bellwire.ledger.grouping import advance_group
from bellwire.ledger.joining import HELD, Joining, destination_of
from bellwire.ledger.settlement import settle_alerts
from bellwire.ledger.silencing import active_silences, silenced_by
from bellwire.ledger.tables import deliveries, obligations
from bellwire.ledger.timing import by_our_clock, is_muted, muting_of, opens_at
from bellwire.ledger.withdrawing import withdraw
from bellwire.model import DeliveryKind, DeliveryState, ObligationState, Suppression

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bellwire.ledger.transaction import Transaction
    from bellwire.ledger.types import AnyRow
    from bellwire.model import Muting


class _Owed(NamedTuple):
    alert_id: str
    channel_id: int
    delivery_id: str


def screen(tx: Transaction, rows: Sequence[AnyRow]) -> list[AnyRow]:
    """Return those of one channel's due deliveries that may go now; put off or suppress the others."""
    may_go, unlooked = _by_window(tx, rows)
    active = active_silences(tx)
    if not active:
        return may_go
    looked = [row for row in may_go if not _is_untouchable(row)]
    by_delivery = open_alerts(tx, [row.id for row in looked])
    gone = set(unlooked)
    for row in looked:
        members = by_delivery.get(row.id, [])
        by = {alert.id: silence for alert in members if (silence := silenced_by(active, alert))}
        if not by or (row.attempts and len(by) < len(members)):
            continue
        for silence in sorted(set(by.values())):
            silenced = [_Owed(each, row.channel_id, row.id) for each in by if by[each] == silence]
            withdraw(tx, silenced, ObligationState.SUPPRESSED, Suppression.SILENCED, silence)
        settle_alerts(tx, by)
        if len(by) == len(members):
            gone.add(row.id)
    return [row for row in may_go if row.id not in gone]


def _is_untouchable(row: AnyRow) -> bool:
    return row.doubtful or row.kind is DeliveryKind.REPLAY


def _by_window(tx: Transaction, rows: Sequence[AnyRow]) -> tuple[list[AnyRow], set[str]]:
    """Return the deliveries whose windows are open; let the others wait for that, or drop them."""
    closed: set[str] = set()
    for row in rows:
        if row.muting is None or _is_untouchable(row):
            continue
        muting = muting_of(row.muting)
        if not is_muted(tx, muting):
            continue
        closed.add(row.id)
        if not muting.hold:
            _drop(tx, row)
        elif row.attempts or row.kind is DeliveryKind.DIGEST or row.parts > 1:
            postpone(tx, row, muting)
        else:
            _hold(tx, row, muting)
    return [row for row in rows if row.id not in closed], closed


def postpone(tx: Transaction, row: AnyRow, muting: Muting) -> None:
    """Let the delivery wait as it is until its window opens."""
    moment = opens_at(tx, muting)
    due_at = by_our_clock(tx, moment)
    values = {"wall_due_at": moment, "due_at": due_at, "reason": HELD}
    if not row.attempts:
        values["wanted_at"] = due_at
    tx.connection.execute(deliveries.update().where(deliveries.c.id == row.id).values(values))


def _open_members(tx: Transaction, row: AnyRow) -> list[str]:
    query = select(obligations.c.alert_id).where(
        obligations.c.delivery_id == row.id, obligations.c.state == ObligationState.OPEN
    )
    return list(tx.connection.execute(query.order_by(obligations.c.alert_id)).scalars())


def _drop(tx: Transaction, row: AnyRow) -> None:
    members = _open_members(tx, row)
    muted = [_Owed(each, row.channel_id, row.id) for each in members]
    withdraw(tx, muted, ObligationState.SUPPRESSED, Suppression.MUTED)
    settle_alerts(tx, members)


def _hold(tx: Transaction, row: AnyRow, muting: Muting) -> None:
    """Move what the delivery owes into the one digest that goes out when the window opens."""
    members = _open_members(tx, row)
    destination = destination_of(tx, members[0], row.channel_id) if members else None
    if destination is None:
        postpone(tx, row, muting)
        return
    joining = Joining(tx)
    digest = joining.held(row.channel_id, destination, muting)
    joining.write()
    here = obligations.c.delivery_id == row.id, obligations.c.state == ObligationState.OPEN
    tx.connection.execute(obligations.update().where(*here).values(delivery_id=digest))
    merged = {"state": DeliveryState.MERGED, "finished_at": tx.now, "open": False, "reason": f"merged into {digest}"}
    tx.connection.execute(deliveries.update().where(deliveries.c.id == row.id).values(merged))
    tx.move("deliveries", DeliveryState.PENDING, DeliveryState.MERGED)
    if row.group_key:
        advance_group(tx, row, sent=False)
