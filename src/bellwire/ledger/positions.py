"""Where each account's source stands, and what happened to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import bindparam, select

from bellwire.ledger.prepared import Prepared
from bellwire.ledger.tables import accounts, alert_events, alerts, source_events
from bellwire.model import AlertState
from bellwire.records import Position

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bellwire.ledger.transaction import Transaction
    from bellwire.model import AccountKey, StatusChange
    from bellwire.records import SourceEvent

_KEPT_EVENTS = 200  # an account

_MINE = accounts.c.id == bindparam("account")
_READ = Prepared(select(accounts.c.started_at, accounts.c.connected_at, accounts.c.last_event_id).where(_MINE))
_SAVE = Prepared(
    accounts.update()
    .where(_MINE)
    .values(
        started_at=bindparam("to_started_at"),
        connected_at=bindparam("to_connected_at"),
        last_event_id=bindparam("to_last_event_id"),
    )
)


def read_positions(tx: Transaction, keys: Sequence[AccountKey]) -> list[Position]:
    """Return where each account's source stood."""
    rows = [_READ.first(tx.connection, {"account": tx.account_id(key)}) for key in keys]
    return [
        Position(started_at=row.started_at, connected_at=row.connected_at, last_event_id=row.last_event_id)
        for row in rows
    ]


def save_positions(tx: Transaction, moves: Sequence[tuple[AccountKey, Position]]) -> list[None]:
    """Keep where each account's source stands now; the last one counts."""
    for key, position in dict(moves).items():
        values = {
            "account": tx.account_id(key),
            "to_started_at": position.started_at,
            "to_connected_at": position.connected_at,
            "to_last_event_id": position.last_event_id,
        }
        _SAVE.run(tx.connection, values)
    return [None] * len(moves)


def note_status_changes(tx: Transaction, batches: Sequence[tuple[AccountKey, Sequence[StatusChange]]]) -> list[None]:
    """Keep with the alerts what became of their items at the vendor; what is not known here is of no interest."""
    for key, changes in batches:
        account_id = tx.account_id(key)
        for change in changes:
            identity = {"account_id": account_id, "upstream_id": change.upstream_id}
            found = tx.connection.execute(select(alerts.c.id, alerts.c.state).filter_by(**identity)).first()
            if found is not None:
                detail = {"status": change.status, "before_sent": found.state is AlertState.IN_FLIGHT}
                event = {"alert_id": found.id, "at": tx.now, "kind": "upstream_status", "detail": detail}
                tx.connection.execute(alert_events.insert().values(event))
    return [None] * len(batches)


def note_source_events(tx: Transaction, events: Sequence[tuple[AccountKey, SourceEvent]]) -> list[None]:
    """Keep what happened, the newest of each account."""
    for key, event in events:
        account_id = tx.account_id(key)
        row = {"account_id": account_id, "at": tx.now, "kind": event.kind, "detail": dict(event.detail)}
        tx.connection.execute(source_events.insert().values(row))
        newest = (
            select(source_events.c.id)
            .where(source_events.c.account_id == account_id)
            .order_by(source_events.c.id.desc())
            .offset(_KEPT_EVENTS)
            .limit(1)
        )
        too_old = tx.connection.execute(newest).scalar_one_or_none()
        if too_old is not None:
            old = (source_events.c.account_id == account_id) & (source_events.c.id <= too_old)
            tx.connection.execute(source_events.delete().where(old))
    return [None] * len(events)
