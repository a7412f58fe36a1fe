"""What people did, and who it was: kept with whatever it changed, in the same transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from bellwire.ledger.tables import actions

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import Connection

    from bellwire.ledger.transaction import Transaction


def read_actions(connection: Connection, limit: int) -> list[dict[str, Any]]:
    """Return what people did, the newest first: ``at who what detail``."""
    query = select(actions).order_by(actions.c.id.desc()).limit(limit)
    return [{"at": row.at, "who": row.who, "what": row.what, "detail": row.detail} for row in connection.execute(query)]


def note_action(tx: Transaction, who: str, what: str, detail: Mapping[str, Any]) -> None:
    """Keep that ``who`` did ``what``: a constant word, ``detail`` says to what."""
    tx.connection.execute(actions.insert(), {"at": tx.wall, "who": who, "what": what, "detail": dict(detail)})


def note_actions(tx: Transaction, done: Sequence[tuple[str, str, Mapping[str, Any]]]) -> list[None]:
    """Keep what people did that changed nothing in the ledger: who, what, and to what."""
    for who, what, detail in done:
        note_action(tx, who, what, detail)
    return [None] * len(done)
