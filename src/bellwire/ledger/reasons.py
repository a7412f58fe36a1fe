"""Why something is not sent, or not yet, in words that lead on: to the silence, to the alert that stands before it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from bellwire.ledger.joining import COLLECTING, HELD, REPEATING
from bellwire.ledger.tables import alerts, obligations, repeats, silences
from bellwire.model import DeliveryState, ObligationState, Suppression

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from bellwire.ledger.types import AnyRow
    from bellwire.model import Decision

Answer = dict[str, Any]

_WAITS_FOR = {HELD: "window", COLLECTING: "digest", REPEATING: "repeat"}
_BY_ALERT = frozenset({Suppression.INHIBITED, Suppression.REPEAT})


def suppressor(connection: Connection, why: Suppression | None, by: str | None) -> Answer | None:
    """Return what suppressed an alert: ``kind`` (``silence`` or ``alert``), ``id``, and what is still known of it.

    That is ``author`` and ``comment`` of a silence, ``title`` of an alert.
    """
    if by is None or (why is not Suppression.SILENCED and why not in _BY_ALERT):
        return None
    if why is Suppression.SILENCED:
        silence = connection.execute(select(silences).where(silences.c.id == by)).one_or_none()
        known = {"author": silence.author, "comment": silence.comment} if silence else {"author": None, "comment": None}
        return {"kind": "silence", "id": by, "title": None} | known
    title = connection.execute(select(alerts.c.title).where(alerts.c.id == by)).scalar_one_or_none()
    return {"kind": "alert", "id": by, "title": title, "author": None, "comment": None}


def waits_for(row: AnyRow) -> str | None:
    """Return what a delivery waits for before it is due: ``window``, ``digest``, ``repeat``, None if for nothing."""
    return _WAITS_FOR.get(row.reason or "") if row.state is DeliveryState.PENDING else None


def repeats_of(connection: Connection, alert_id: str, decision: Decision | None) -> dict[str, str]:
    """Return the alert of which this one may be a repeat, by the delivery in which it waits to know that."""
    keys = {each.repetition.key for each in decision.destinations if each.repetition} if decision else set()
    if not keys:
        return {}
    query = (
        select(repeats.c.alert_id, obligations.c.delivery_id)
        .join(obligations, obligations.c.channel_id == repeats.c.channel_id)
        .where(
            repeats.c.key.in_(keys),
            obligations.c.alert_id == alert_id,
            obligations.c.state == ObligationState.OPEN,
            obligations.c.reason == REPEATING,
        )
    )
    return {row.delivery_id: row.alert_id for row in connection.execute(query)}
