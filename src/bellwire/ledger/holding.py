"""What waits for a moment of the wall's clock: windows and the times of digests.

Whenever the calendar changes, or the wall steps against our own clock, what waits is timed anew.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select

from bellwire.ledger.joining import HELD
from bellwire.ledger.tables import BY_WALL, deliveries
from bellwire.ledger.timing import by_our_clock, is_muted, muting_of, opens_at

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from bellwire.ledger.transaction import Transaction
    from bellwire.ledger.types import AnyRow


def retime(tx: Transaction, questions: Sequence[None]) -> list[None]:
    """Work out anew when everything is due that waits for a moment of the wall's clock."""
    if tx.facts.timetable[0] is None:
        return list(questions)  # nobody has said yet which windows there are
    for row in tx.connection.execute(select(deliveries).where(BY_WALL)).all():
        moment = _moment(tx, row)
        due_at = by_our_clock(tx, moment)
        if (moment, due_at) == (row.wall_due_at, row.due_at):
            continue
        values = {"wall_due_at": moment, "due_at": due_at} | ({} if row.attempts else {"wanted_at": due_at})
        tx.connection.execute(deliveries.update().where(deliveries.c.id == row.id).values(values))
        tx.wake_all = True
    return list(questions)


def _moment(tx: Transaction, row: AnyRow) -> datetime:
    """Return when the delivery is due by the wall's clock. What collects keeps its time; what is held asks the windows."""
    if row.reason != HELD or row.muting is None:
        return row.wall_due_at  # type: ignore[no-any-return]  # a column
    muting = muting_of(row.muting)
    return opens_at(tx, muting) if is_muted(tx, muting) else min(row.wall_due_at, tx.wall)
