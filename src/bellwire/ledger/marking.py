"""Read marks: owed when an alert is settled as its account's policy wants, kept until the vendor's answer is final."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from sqlalchemy import Integer, bindparam, select

from bellwire.ledger.prepared import KEYS, Insertion, Prepared
from bellwire.ledger.tables import PENDING, read_marks
from bellwire.ledger.transaction import UNMARKED, in_chunks
from bellwire.model import MarkOutcome, MarkState
from bellwire.records import DueMark, DueMarks

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from bellwire.ledger.transaction import Transaction
    from bellwire.model import AccountKey
    from bellwire.records import MarkRecord

_STATE = {
    MarkOutcome.CONFIRMED: MarkState.CONFIRMED,
    MarkOutcome.RETRY: MarkState.PENDING,
    MarkOutcome.FAILED: MarkState.FAILED,
}

_OWE = Insertion(read_marks, "ON CONFLICT DO NOTHING")
_ANSWER = Prepared(
    read_marks.update()
    .where(read_marks.c.alert_id.in_(KEYS), read_marks.c.state == MarkState.PENDING)
    .values(
        state=bindparam("to_state"),
        due_at=bindparam("to_due_at"),
        attempts=read_marks.c.attempts + 1,
        finished_at=bindparam("to_finished_at"),
        detail=bindparam("to_detail"),
    )
)


_WAITING = Prepared(
    select(read_marks.c.alert_id, read_marks.c.upstream_id, read_marks.c.attempts, read_marks.c.due_at)
    .where(PENDING, read_marks.c.account_id == bindparam("account"))
    .order_by(read_marks.c.due_at, read_marks.c.alert_id)
    .limit(bindparam("limit", type_=Integer))
)


def insert_marks(tx: Transaction, marks: Sequence[dict[str, Any]]) -> None:
    """Owe these marks (alert_id, account_id, upstream_id); one that is owed or made already stays as it is."""
    if not marks:
        return
    fixed = {"state": MarkState.PENDING, "due_at": tx.now, "attempts": 0}
    if new := _OWE.run(tx.connection, [mark | fixed for mark in marks]):
        tx.count("read_marks.pending", new)


def revive_marks(tx: Transaction, alert_ids: Sequence[str]) -> None:
    """Owe these marks again, which had failed for good."""
    for some in in_chunks(alert_ids):
        failed = read_marks.c.alert_id.in_(some), read_marks.c.state == MarkState.FAILED
        anew = {"state": MarkState.PENDING, "due_at": tx.now, "finished_at": None, "detail": None}
        tx.connection.execute(read_marks.update().where(*failed).values(anew))
    tx.move("read_marks", MarkState.FAILED, MarkState.PENDING, len(alert_ids))


def due_marks(tx: Transaction, questions: Sequence[tuple[AccountKey, int]]) -> list[DueMarks]:
    """Return for each account at most so many marks that are due, and when the next one is."""
    return [_due(tx, account, limit) for account, limit in questions]


def record_marks(tx: Transaction, batches: Sequence[Sequence[MarkRecord]]) -> list[None]:
    """Write the vendor's answers."""
    records = [record for batch in batches for record in batch]
    alike: defaultdict[tuple[MarkState, datetime, str], list[str]] = defaultdict(list)
    for record in records:
        answer = _STATE[record.result.outcome], record.due_at or tx.now, record.result.detail
        alike[answer].append(record.alert_id)
    for (state, due_at, detail), alert_ids in alike.items():
        finished = state is not MarkState.PENDING
        values = {"to_state": state, "to_due_at": due_at, "to_finished_at": tx.now if finished else None}
        _ANSWER.run(tx.connection, values | {"to_detail": detail or None}, keys=alert_ids)
        if finished:
            tx.move("read_marks", MarkState.PENDING, state, len(alert_ids))
    _tally(tx, [record.alert_id for record in records if record.result.outcome is MarkOutcome.FAILED])
    return [None] * len(batches)


def _tally(tx: Transaction, failed: Sequence[str]) -> None:
    """Count, an account each, what will not be marked: someone must be told."""
    for some in in_chunks(failed):
        whose = select(read_marks.c.account_id).where(read_marks.c.alert_id.in_(some))
        for account_id in tx.connection.execute(whose).scalars():
            tx.count(f"{UNMARKED}{account_id}")


def _due(tx: Transaction, account: AccountKey, limit: int) -> DueMarks:
    rows = _WAITING.all(tx.connection, {"account": tx.account_id(account), "limit": limit + 1})
    due = [row for row in rows[:limit] if row.due_at <= tx.now]
    later = rows[len(due)].due_at if len(rows) > len(due) else None
    return DueMarks(
        marks=tuple(DueMark(alert_id=r.alert_id, upstream_id=r.upstream_id, attempts=r.attempts) for r in due),
        next_due=later,
    )
