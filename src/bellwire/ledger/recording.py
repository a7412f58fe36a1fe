"""Writing what arrived: alert, decision, obligations and deliveries in one transaction."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, bindparam, select

from bellwire.ledger.admitting import Admission
from bellwire.ledger.joining import catch_up_group
from bellwire.ledger.marking import insert_marks
from bellwire.ledger.payloads import dump_payload, dump_plain
from bellwire.ledger.prepared import KEYS, Insertion, Prepared
from bellwire.ledger.tables import (
    UNFINISHED,
    accounts,
    alert_contents,
    alert_events,
    alerts,
    deliveries,
    obligations,
    read_marks,
)
from bellwire.ledger.timing import NOT_YET
from bellwire.ledger.transaction import in_chunks
from bellwire.model import AlertState, MarkState
from bellwire.routing.record import dump
from bellwire.states import may_mark, settle

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy import Connection

    from bellwire.ledger.transaction import Transaction
    from bellwire.model import AccountKey
    from bellwire.records import Arrival

Row = dict[str, Any]

_ALERTS, _CONTENTS, _OBLIGATIONS = Insertion(alerts), Insertion(alert_contents), Insertion(obligations)
_KNOWN = Prepared(
    select(alerts.c.upstream_id).where(alerts.c.account_id == bindparam("account"), alerts.c.upstream_id.in_(KEYS))
)
_CONFIRMED = and_(
    read_marks.c.alert_id == alerts.c.id,
    read_marks.c.state == MarkState.CONFIRMED,
    read_marks.c.finished_at < bindparam("before"),
)
_LISTED = Prepared(
    select(alerts.c.upstream_id, read_marks.c.alert_id)
    .select_from(alerts.join(accounts, accounts.c.id == alerts.c.account_id).outerjoin(read_marks, _CONFIRMED))
    .where(
        accounts.c.name == bindparam("name"),
        accounts.c.base_url == bindparam("base_url"),
        alerts.c.upstream_id.in_(KEYS),
    )
)

_CATCH_UP = and_(deliveries.c.open, deliveries.c.due_at == NOT_YET, deliveries.c.wall_due_at.is_(None))
_DIGESTS = Prepared(select(deliveries.c.id).where(UNFINISHED, _CATCH_UP, deliveries.c.group_key.in_(KEYS)))


@dataclass(slots=True)
class _Rows:
    """What the batch adds, table by table."""

    alerts: list[Row] = field(default_factory=list)
    contents: list[Row] = field(default_factory=list)
    obligations: list[Row] = field(default_factory=list)
    marks: list[Row] = field(default_factory=list)


def record_arrivals(tx: Transaction, batches: Sequence[Sequence[Arrival]]) -> list[list[str | None]]:
    """Write the arrivals that are not known yet; return each one's new id, None where it was known."""
    known = _known(tx, [arrival for batch in batches for arrival in batch])
    rows = _Rows()
    admission = Admission(tx, [arrival for batch in batches for arrival in batch])
    results = [[_record(tx, arrival, known, rows, admission) for arrival in batch] for batch in batches]
    _ALERTS.run(tx.connection, rows.alerts)
    _CONTENTS.run(tx.connection, rows.contents)
    _OBLIGATIONS.run(tx.connection, rows.obligations)
    admission.write()
    insert_marks(tx, rows.marks)
    return results


def release_digests(tx: Transaction, keys: Sequence[AccountKey]) -> list[None]:
    """Make the catch-up digests of these accounts due, and closed to further members."""
    waiting = _DIGESTS.all(tx.connection, keys=sorted({catch_up_group(key) for key in keys}))
    _release(tx, [row.id for row in waiting])
    return [None] * len(keys)


def release_abandoned_digests(tx: Transaction, questions: Sequence[Sequence[AccountKey]]) -> list[None]:
    """Make those catch-up digests due that no catch-up of any of these accounts will ever release."""
    for kept in questions:
        groups = {catch_up_group(key) for key in kept}
        rows = tx.connection.execute(select(deliveries.c.id, deliveries.c.group_key).where(UNFINISHED, _CATCH_UP))
        _release(tx, [row.id for row in rows if row.group_key not in groups])
    return [None] * len(questions)


def _release(tx: Transaction, ids: Sequence[str]) -> None:
    for some in in_chunks(ids):
        values = {"due_at": tx.now, "wanted_at": tx.now, "open": False}
        tx.connection.execute(deliveries.update().where(deliveries.c.id.in_(some)).values(values))
        tx.wake_all = True


def note_reopened(tx: Transaction, batches: Sequence[Sequence[str]]) -> list[None]:
    """Note that these alerts' items were listed as unread after their confirmed mark: once for each."""
    for alert_ids in batches:
        noted = select(alert_events.c.alert_id).where(
            alert_events.c.alert_id.in_(alert_ids), alert_events.c.kind == "reopened"
        )
        new = set(alert_ids) - set(tx.connection.execute(noted).scalars())
        if new:
            events = [{"alert_id": each, "at": tx.now, "kind": "reopened", "detail": {}} for each in sorted(new)]
            tx.connection.execute(alert_events.insert(), events)
    return [None] * len(batches)


def listed(connection: Connection, account: AccountKey, upstream_ids: Sequence[str], before: datetime) -> list[Any]:
    """Return those of the ids that are known, each with its alert's id where its mark was confirmed before ``before``."""
    values = {"name": account.name, "base_url": account.base_url, "before": before}
    return _LISTED.all(connection, values, keys=upstream_ids)


def _known(tx: Transaction, arrivals: Sequence[Arrival]) -> set[tuple[int, str]]:
    wanted: dict[int, list[str]] = {}
    for arrival in arrivals:
        wanted.setdefault(tx.account_id(arrival.account), []).append(arrival.alert.upstream_id)
    known: set[tuple[int, str]] = set()
    for account_id, ids in wanted.items():
        rows = _KNOWN.all(tx.connection, {"account": account_id}, keys=ids)
        known.update((account_id, row.upstream_id) for row in rows)
    return known


def _record(
    tx: Transaction, arrival: Arrival, known: set[tuple[int, str]], rows: _Rows, admission: Admission
) -> str | None:
    alert = arrival.alert
    account_id = tx.account_id(arrival.account)
    identity = (account_id, alert.upstream_id)
    if identity in known:
        return None
    known.add(identity)
    alert_id = tx.new_id()
    owed: list[Row] = []
    standing = _states(tx, arrival, alert_id, owed, admission)
    admission.cast(arrival, alert_id)
    rows.obligations += owed
    rows.alerts.append(
        {
            "id": alert_id,
            "account_id": account_id,
            "upstream_id": alert.upstream_id,
            "api": alert.api,
            "type": alert.type,
            "severity": int(alert.severity),
            "title": alert.title,
            "url": alert.url,
            "created_at": alert.created_at,
            "received_at": alert.received_at,
            "labels": alert.labels,
            "via": arrival.via,
            "mark": arrival.mark,
            "markable": arrival.markable,
        }
        | standing
    )
    payload = dump_plain(alert.payload)
    if payload is not None and standing["settled_at"] is None:
        tx.fresh.keep(alert, alert_id, len(payload))
    rows.contents.append(
        {
            "alert_id": alert_id,
            "message": alert.message,
            "payload": payload or dump_payload(alert.payload),
            "decision": dump(arrival.decision),
        }
    )
    if standing["settled_at"] and arrival.markable and may_mark(arrival.mark, [row["state"] for row in owed]):
        rows.marks.append({"alert_id": alert_id, "account_id": account_id, "upstream_id": alert.upstream_id})
        tx.due_accounts.add(arrival.account)
    tx.count("alerts.received")
    tx.count(f"alerts.{standing['state']}")
    return alert_id


def _states(tx: Transaction, arrival: Arrival, alert_id: str, owed: list[Row], admission: Admission) -> Row:
    """Return where the alert stands, and why; settled at once if nothing of it is open."""
    refusal = admission.refusal(arrival)
    if refusal is None:
        owed += admission.oblige(arrival, alert_id)
    states = [row["state"] for row in owed]
    state = settle(states)
    closed = owed[0] if owed and state is AlertState.SUPPRESSED else {"reason": None, "detail": None}
    why, by = refusal or (closed["reason"], closed["detail"])
    return {
        "state": state,
        "suppression": why or arrival.decision.suppressed,
        "suppressed_by": by,
        "settled_at": None if state is AlertState.IN_FLIGHT else tx.now,
    }
