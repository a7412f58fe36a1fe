"""Read marks: owed when an alert is settled as its account's policy wants, kept until the vendor's answer is final."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, select

from bellwire.ledger.tables import PENDING, read_marks
from bellwire.ledger.transaction import UNMARKED, in_chunks
from bellwire.model import MarkOutcome, MarkState
from bellwire.records import DueMark, DueMarks

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bellwire.ledger.transaction import Transaction
    from bellwire.model import AccountKey
    from bellwire.records import MarkRecord

_STATE = {
    MarkOutcome.CONFIRMED: MarkState.CONFIRMED,
    MarkOutcome.RETRY: MarkState.PENDING,
    MarkOutcome.FAILED: MarkState.FAILED,
}

_UPDATE = (
    read_marks.update()
    .where(read_marks.c.alert_id == bindparam("key"), read_marks.c.state == MarkState.PENDING)
    .values(
        state=bindparam("to_state"),
        due_at=bindparam("to_due_at"),
        attempts=read_marks.c.attempts + 1,
        finished_at=bindparam("to_finished_at"),
        detail=bindparam("to_detail"),
    )
)


def insert_marks(tx: Transaction, marks: Sequence[dict[str, Any]]) -> None:
    """Owe these marks (alert_id, account_id, upstream_id); one that is owed or made already stays as it is."""
    if not marks:
        return
    known: set[str] = set()
    for some in in_chunks([mark["alert_id"] for mark in marks]):
        query = select(read_marks.c.alert_id).where(read_marks.c.alert_id.in_(some))
        known.update(tx.connection.execute(query).scalars())
    fixed = {"state": MarkState.PENDING, "due_at": tx.now, "attempts": 0}
    if new := [mark | fixed for mark in marks if mark["alert_id"] not in known]:
        tx.connection.execute(read_marks.insert(), new)
        tx.count("read_marks.pending", len(new))


def due_marks(tx: Transaction, questions: Sequence[tuple[AccountKey, int]]) -> list[DueMarks]:
    """Return for each account at most so many marks that are due, and when the next one is."""
    return [_due(tx, account, limit) for account, limit in questions]


def record_marks(tx: Transaction, batches: Sequence[Sequence[MarkRecord]]) -> list[None]:
    """Write the vendor's answers."""
    records = [record for batch in batches for record in batch]
    for record in records:
        state = _STATE[record.result.outcome]
        if state is not MarkState.PENDING:
            tx.move("read_marks", MarkState.PENDING, state)
    if records:
        tx.connection.execute(_UPDATE, [_row(tx, record) for record in records])
    _tally(tx, [record.alert_id for record in records if record.result.outcome is MarkOutcome.FAILED])
    return [None] * len(batches)


def _tally(tx: Transaction, failed: Sequence[str]) -> None:
    """Count, an account each, what will not be marked: someone must be told."""
    for some in in_chunks(failed):
        whose = select(read_marks.c.account_id).where(read_marks.c.alert_id.in_(some))
        for account_id in tx.connection.execute(whose).scalars():
            tx.count(f"{UNMARKED}{account_id}")


def _row(tx: Transaction, record: MarkRecord) -> dict[str, Any]:
    state = _STATE[record.result.outcome]
    return {
        "key": record.alert_id,
        "to_state": state,
        "to_due_at": record.due_at or tx.now,
        "to_finished_at": None if state is MarkState.PENDING else tx.now,
        "to_detail": record.result.detail or None,
    }


def _due(tx: Transaction, account: AccountKey, limit: int) -> DueMarks:
    account_id = tx.account_id(account)
    columns = read_marks.c.alert_id, read_marks.c.upstream_id, read_marks.c.attempts, read_marks.c.due_at
    query = (
        select(*columns)
        .where(PENDING, read_marks.c.account_id == account_id)
        .order_by(read_marks.c.due_at, read_marks.c.alert_id)
        .limit(limit + 1)
    )
    rows = tx.connection.execute(query).all()
    due = [row for row in rows[:limit] if row.due_at <= tx.now]
    later = rows[len(due)].due_at if len(rows) > len(due) else None
    return DueMarks(
        marks=tuple(DueMark(alert_id=r.alert_id, upstream_id=r.upstream_id, attempts=r.attempts) for r in due),
        next_due=later,
    )
