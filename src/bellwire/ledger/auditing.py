"""The balance: every alert ever seen is in exactly one state, and that state follows from what is recorded of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, exists, func, not_, select

from bellwire.ledger.tables import alerts, deliveries, obligations, read_marks, totals
from bellwire.model import AlertState, DeliveryState, MarkState, ObligationState

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Connection

_EXAMPLES = 20


def audit_ledger(connection: Connection) -> dict[str, Any]:
    """Add up the ledger.

    Returns ``received`` (alerts ever recorded), ``states`` (alerts by state), ``suppressed`` (by reason), ``read_marks``
    (by state), ``unaccounted`` (received, yet in no state that its record bears out: must be 0), ``faults`` (which, by what
    is wrong with them, with the number of alerts and the ids of some).
    """
    states = {state.value: 0 for state in AlertState} | _count(connection, alerts.c.state)
    received = _total(connection, "alerts.received")
    counts = {name: _matching(connection, condition) for name, condition in _FAULTS.items()}
    faults = [
        {"fault": name, "alerts": number, "examples": _some(connection, _FAULTS[name])}
        for name, number in counts.items()
        if number
    ]
    missing = abs(received - sum(states.values()))
    return {
        "received": received,
        "states": states,
        "suppressed": _count(connection, alerts.c.suppression),
        "read_marks": {state.value: 0 for state in MarkState} | _count(connection, read_marks.c.state),
        "unaccounted": missing + sum(counts.values()),
        "faults": faults,
    }


def _owes(*states: ObligationState) -> ColumnElement[bool]:
    return exists().where(obligations.c.alert_id == alerts.c.id, obligations.c.state.in_(states))


_UNDERWAY = exists().where(
    deliveries.c.id == obligations.c.delivery_id,
    deliveries.c.state.in_([DeliveryState.PENDING, DeliveryState.SENDING]),
)
_STRANDED = exists().where(
    obligations.c.alert_id == alerts.c.id, obligations.c.state == ObligationState.OPEN, not_(_UNDERWAY)
)
_IS = {state: alerts.c.state == state for state in AlertState}

# Each is a sentence about an alert that must not be true of any.
_FAULTS: dict[str, ColumnElement[bool]] = {
    "in flight, but nothing is owed": and_(_IS[AlertState.IN_FLIGHT], not_(_owes(ObligationState.OPEN))),
    "owed to a channel, but no delivery is under way": _STRANDED,
    "settled, but still owed": and_(not_(_IS[AlertState.IN_FLIGHT]), _owes(ObligationState.OPEN)),
    "delivered, but nothing was sent": and_(
        _IS[AlertState.DELIVERED], not_(_owes(ObligationState.SENT, ObligationState.COVERED))
    ),
    "delivered, but a channel's delivery is dead": and_(_IS[AlertState.DELIVERED], _owes(ObligationState.DEAD)),
    "dead, but no delivery is": and_(_IS[AlertState.DEAD], not_(_owes(ObligationState.DEAD))),
    "suppressed, but something was sent": and_(
        _IS[AlertState.SUPPRESSED], _owes(ObligationState.SENT, ObligationState.COVERED)
    ),
    "marked as read, but never settled": and_(
        exists().where(read_marks.c.alert_id == alerts.c.id),
        not_(_owes(ObligationState.SENT, ObligationState.COVERED)),
        not_(_IS[AlertState.SUPPRESSED]),
    ),
}


def _matching(connection: Connection, condition: ColumnElement[bool]) -> int:
    return connection.execute(select(func.count()).select_from(alerts).where(condition)).scalar_one()


def _some(connection: Connection, condition: ColumnElement[bool]) -> list[str]:
    return list(
        connection.execute(select(alerts.c.id).where(condition).order_by(alerts.c.id).limit(_EXAMPLES)).scalars()
    )


def _count(connection: Connection, column: Any) -> dict[str, int]:
    query = select(column.label("value"), func.count().label("number")).where(column.is_not(None)).group_by(column)
    return {row.value.value: row.number for row in connection.execute(query)}


def _total(connection: Connection, name: str) -> int:
    return connection.execute(select(totals.c.number).where(totals.c.name == name)).scalar_one_or_none() or 0
