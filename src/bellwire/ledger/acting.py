"""What people did, and who it was: kept with whatever it changed, in the same transaction.

Who it was has two parts. The name is what they gave, and nobody has checked it. How they came in (the credential, or the
session that it opened, and from where) is what Bellwire itself knows; it is kept within the detail.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from bellwire.ledger.tables import actions

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import Connection

    from bellwire.ledger.transaction import Transaction

_HOW = "how"


def read_actions(connection: Connection, limit: int) -> list[dict[str, Any]]:
    """Return what people did, the newest first: ``at who how what detail``; ``how`` is None where it was not kept."""
    query = select(actions).order_by(actions.c.id.desc()).limit(limit)
    found = []
    for row in connection.execute(query):
        detail = dict(row.detail)
        how = detail.pop(_HOW, None)
        found.append({"at": row.at, "who": row.who, "how": how, "what": row.what, "detail": detail})
    return found


def note_action(tx: Transaction, who: str, what: str, detail: Mapping[str, Any], how: str = "") -> None:
    """Keep that ``who``, who came in ``how``, did ``what``: a constant word, ``detail`` says to what."""
    kept = {**detail, _HOW: how} if how else dict(detail)
    tx.connection.execute(actions.insert(), {"at": tx.wall, "who": who, "what": what, "detail": kept})


def note_actions(tx: Transaction, done: Sequence[tuple[str, str, Mapping[str, Any], str]]) -> list[None]:
    """Keep what people did that changed nothing in the ledger: who, what, to what, and how they came in."""
    for who, what, detail, how in done:
        note_action(tx, who, what, detail, how)
    return [None] * len(done)
