"""The balance: every alert ever seen is in exactly one state, and that state follows from what is recorded of it."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, exists, func, not_, or_, select

from bellwire.ledger.joining import REPEATING
from bellwire.ledger.tables import (
    accounts,
    alerts,
    deliveries,
    obligations,
    read_marks,
    repeat_waiters,
    repeats,
    stand_ins,
    totals,
)
from bellwire.ledger.transaction import in_chunks
from bellwire.model import AlertState, DeliveryState, MarkState, ObligationState
from bellwire.records import AuditSlice

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy import ColumnElement, Connection

SLICE = 5_000
"""Alerts that one slice of an audit looks at: some 70 ms."""

_EXAMPLES = 20


def audit_ledger(connection: Connection) -> dict[str, Any]:
    """Add up the ledger, as `balance_of` has it."""
    slices = [audit_slice(connection, "")]
    while (last := slices[-1].last) is not None:
        slices.append(audit_slice(connection, last))
    return balance_of(slices)


def balance_of(slices: Sequence[AuditSlice]) -> dict[str, Any]:
    """Add up the slices of a whole audit.

    Returns ``received`` (alerts ever recorded), ``states`` (alerts by state), ``suppressed`` (by reason), ``read_marks``
    (by state), ``unaccounted`` (alerts received, yet in no state that their record bears out: must be 0), ``faults`` (which,
    by what is wrong with them, with the number of alerts and the ids of some; one may have several faults).
    """
    states, suppressed, marks, counts = (Counter[str]() for _ in range(4))
    examples: dict[str, list[str]] = {}
    for each in slices:
        states.update(each.states)
        suppressed.update(each.suppressed)
        marks.update(each.read_marks)
        for name, (number, some) in each.faults.items():
            counts[name] += number
            examples[name] = [*examples.get(name, []), *some][:_EXAMPLES]
    received = slices[-1].received
    missing = abs(received - states.total())
    return {
        "received": received,
        "states": {state.value: states[state.value] for state in AlertState},
        "suppressed": dict(suppressed),
        "read_marks": {state.value: marks[state.value] for state in MarkState},
        "unaccounted": missing + sum(each.faulty for each in slices),
        "faults": [{"fault": name, "alerts": counts[name], "examples": examples[name]} for name in counts],
    }


def audit_slice(connection: Connection, after: str, size: int = SLICE) -> AuditSlice:
    """Audit the next alerts after the id ``after``, all in the one snapshot that ``connection`` sees.

    Each alert is counted once, in one slice: ids only grow, and no alert is ever removed. What ``received`` the last slice
    saw is what all of them together must have counted.
    """
    following = select(alerts.c.id).where(alerts.c.id > after).order_by(alerts.c.id)
    last = connection.execute(following.offset(size - 1).limit(1)).scalar_one_or_none()
    within = and_(alerts.c.id > after, alerts.c.id <= last) if last else alerts.c.id > after
    marked = read_marks.c.alert_id > after
    marked = and_(marked, read_marks.c.alert_id <= last) if last else marked
    found = {name: _matching(connection, and_(within, condition)) for name, condition in _FAULTS.items()}
    return AuditSlice(
        last=last,
        received=_total(connection, "alerts.received"),
        states=_count(connection, alerts.c.state, within),
        suppressed=_count(connection, alerts.c.suppression, within),
        read_marks=_count(connection, read_marks.c.state, marked),
        faults={
            name: (number, tuple(_some(connection, and_(within, _FAULTS[name]))))
            for name, number in found.items()
            if number
        },
        faulty=_faulty(connection, within, [name for name, number in found.items() if number]),
    )


def known_ids(connection: Connection, account: str, base_url: str, upstream_ids: Sequence[str]) -> set[str]:
    """Return those of a vendor's ids that are recorded for the account."""
    whose = select(accounts.c.id).filter_by(name=account, base_url=base_url).scalar_subquery()
    found: set[str] = set()
    for some in in_chunks(upstream_ids):
        query = select(alerts.c.upstream_id).where(alerts.c.account_id == whose, alerts.c.upstream_id.in_(some))
        found.update(connection.execute(query).scalars())
    return found


def whole_until(connection: Connection, account: str, base_url: str) -> datetime | None:
    """Return until when the account's source is known to have missed nothing."""
    query = select(accounts.c.connected_at).filter_by(name=account, base_url=base_url)
    found: datetime | None = connection.execute(query).scalar_one_or_none()
    return found


def _owes(*states: ObligationState) -> ColumnElement[bool]:
    return exists().where(obligations.c.alert_id == alerts.c.id, obligations.c.state.in_(states))


_UNDERWAY = exists().where(
    deliveries.c.id == obligations.c.delivery_id,
    deliveries.c.state.in_([DeliveryState.PENDING, DeliveryState.SENDING]),
)
_STRANDED = exists().where(
    obligations.c.alert_id == alerts.c.id, obligations.c.state == ObligationState.OPEN, not_(_UNDERWAY)
)
_DIED = exists().where(deliveries.c.id == obligations.c.delivery_id, deliveries.c.state == DeliveryState.DEAD)
_UNDEAD = exists().where(
    obligations.c.alert_id == alerts.c.id, obligations.c.state == ObligationState.DEAD, not_(_DIED)
)
_one, _each, _by = stand_ins.alias("one"), stand_ins.alias("each"), obligations.alias("by")
_CONFIRMED = exists().where(
    _by.c.alert_id == _each.c.alert_id,
    _by.c.channel_id == _each.c.by_channel_id,
    _by.c.state == ObligationState.SENT,
)
_MISSING = exists().where(
    _each.c.alert_id == _one.c.alert_id,
    _each.c.channel_id == _one.c.channel_id,
    _each.c.receiver == _one.c.receiver,
    not_(_CONFIRMED),
)
_STOOD_IN = exists().where(
    _one.c.alert_id == obligations.c.alert_id, _one.c.channel_id == obligations.c.channel_id, not_(_MISSING)
)
_UNCOVERED = exists().where(
    obligations.c.alert_id == alerts.c.id, obligations.c.state == ObligationState.COVERED, not_(_STOOD_IN)
)
_LEADER = exists().where(
    repeat_waiters.c.channel_id == obligations.c.channel_id,
    repeat_waiters.c.alert_id == obligations.c.alert_id,
    repeats.c.channel_id == repeat_waiters.c.channel_id,
    repeats.c.key == repeat_waiters.c.key,
    repeats.c.until.is_(None),
)
_FORGOTTEN = exists().where(
    obligations.c.alert_id == alerts.c.id,
    obligations.c.state == ObligationState.OPEN,
    obligations.c.reason == REPEATING,
    not_(_LEADER),
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
    "covered, but no stand-in has confirmed it": _UNCOVERED,
    "dead to a channel, but its delivery is not": _UNDEAD,
    "waits as a repeat, but for no alert that is under way": _FORGOTTEN,
    "marked as read, but never settled": and_(
        exists().where(read_marks.c.alert_id == alerts.c.id),
        not_(_owes(ObligationState.SENT, ObligationState.COVERED)),
        not_(_IS[AlertState.SUPPRESSED]),
    ),
}


def _faulty(connection: Connection, within: ColumnElement[bool], faults: Sequence[str]) -> int:
    """Return how many alerts have one of these faults or more."""
    return _matching(connection, and_(within, or_(*(_FAULTS[name] for name in faults)))) if faults else 0


def _matching(connection: Connection, condition: ColumnElement[bool]) -> int:
    return connection.execute(select(func.count()).select_from(alerts).where(condition)).scalar_one()


def _some(connection: Connection, condition: ColumnElement[bool]) -> list[str]:
    return list(
        connection.execute(select(alerts.c.id).where(condition).order_by(alerts.c.id).limit(_EXAMPLES)).scalars()
    )


def _count(connection: Connection, column: Any, within: ColumnElement[bool]) -> dict[str, int]:
    counted = select(column.label("value"), func.count().label("number")).where(column.is_not(None), within)
    query = counted.group_by(column)
    return {row.value.value: row.number for row in connection.execute(query)}


def _total(connection: Connection, name: str) -> int:
    return connection.execute(select(totals.c.number).where(totals.c.name == name)).scalar_one_or_none() or 0
