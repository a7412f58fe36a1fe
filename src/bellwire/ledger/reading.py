"""What people ask of the ledger. Each question is one function over a connection that cannot write.

Answers are made of plain values that turn into JSON as they are (times stay `datetime`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import func, not_, select, true

from bellwire.ledger.alerts import HEAD_COLUMNS, WITH_ACCOUNT
from bellwire.ledger.letters import deliveries_in
from bellwire.ledger.reasons import repeats_of, suppressor, waits_for
from bellwire.ledger.tables import (
    DEAD,
    WAITING,
    accounts,
    alert_contents,
    alert_events,
    alerts,
    attempts,
    channels,
    deliveries,
    obligations,
    read_marks,
    source_events,
    totals,
)
from bellwire.ledger.transaction import TALLY, in_chunks
from bellwire.model import DeliveryState, Severity
from bellwire.routing.record import load

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

    from bellwire.ledger.types import AnyRow
    from bellwire.model import Decision

Answer = dict[str, Any]

BRIEF = (*HEAD_COLUMNS, alerts.c.via, alerts.c.state, alerts.c.suppression)
"""What a list tells of an alert."""


def read_totals(connection: Connection) -> dict[str, int]:
    """Return every total by name: ``alerts.received``, ``alerts.<state>``, ``deliveries.<state>``, ``read_marks.<state>``."""
    told = not_(totals.c.name.startswith(TALLY))  # the rest is for whoever tells of troubles
    return {row.name: row.number for row in connection.execute(select(totals).where(told))}


def recent_alerts(connection: Connection, limit: int, before: str | None = None) -> list[Answer]:
    """Return the newest alerts, each with ``obligations``: where it went, and how far that is. ``before`` is an id."""
    query = select(*BRIEF).select_from(WITH_ACCOUNT).order_by(alerts.c.id.desc()).limit(limit)
    if before is not None:
        query = query.where(alerts.c.id < before)
    return with_outcomes(connection, connection.execute(query).all())


def with_outcomes(connection: Connection, rows: Sequence[AnyRow]) -> list[Answer]:
    """Return the alerts of rows that have `BRIEF`, each with what became of it."""
    found = [_brief(row) for row in rows]
    owed = _obligations(connection, [each["id"] for each in found])
    marks = _marks(connection, [each["id"] for each in found])
    return [each | {"obligations": owed.get(each["id"], []), "read_mark": marks.get(each["id"])} for each in found]


def list_deliveries(
    connection: Connection,
    state: DeliveryState | None,
    limit: int,
    *,
    receiver: str | None = None,
    before: str | None = None,
) -> list[Answer]:
    """Return the newest deliveries, of one state or of all, of one receiver or of all; ``before`` is an id."""
    query = (
        select(deliveries, channels.c.receiver, channels.c.kind.label("channel"), channels.c.name)
        .join(channels, channels.c.id == deliveries.c.channel_id)
        .order_by(deliveries.c.id.desc())
        .limit(limit)
    )
    if state is not None:
        # In the words of an index, where there is one: what is finished well may be any number.
        served = {DeliveryState.DEAD: DEAD, DeliveryState.PENDING: WAITING, DeliveryState.SENDING: WAITING}
        query = query.where(served.get(state, true()), deliveries.c.state == state)
    if receiver is not None:
        theirs = select(channels.c.id).where(channels.c.receiver == receiver)
        query = query.where(deliveries.c.channel_id.in_(theirs))
    if before is not None:
        query = query.where(deliveries.c.id < before)
    return [_delivery(row) for row in connection.execute(query)]


def read_channels(connection: Connection) -> list[Answer]:
    """Return each channel that the ledger has ever had, with its breaker and the work that waits on it."""
    waiting = (
        select(
            deliveries.c.channel_id, func.count().label("waiting"), func.min(deliveries.c.created_at).label("oldest")
        )
        .where(WAITING)
        .group_by(deliveries.c.channel_id)
    )
    counts = {row.channel_id: row for row in connection.execute(waiting)}
    fallen = select(deliveries.c.channel_id, func.count().label("dead")).where(DEAD).group_by(deliveries.c.channel_id)
    dead = {row.channel_id: row.dead for row in connection.execute(fallen)}
    return [
        {
            "receiver": row.receiver,
            "channel": row.kind,
            "name": row.name,
            "waiting": counts[row.id].waiting if row.id in counts else 0,
            "waiting_since": counts[row.id].oldest if row.id in counts else None,
            "dead": dead.get(row.id, 0),
            "failures": row.failures,
            "broken_since": row.broken_since,
            "blocked_until": max((at for at in (row.blocked_until, row.probe_at) if at), default=None),
            "last_error": row.last_error,
        }
        for row in connection.execute(select(channels).order_by(channels.c.receiver, channels.c.kind, channels.c.name))
    ]


def read_source_events(connection: Connection, limit: int) -> list[Answer]:
    """Return what happened to sources, the newest first."""
    query = (
        select(accounts.c.name.label("account"), source_events.c.at, source_events.c.kind, source_events.c.detail)
        .join(accounts, accounts.c.id == source_events.c.account_id)
        .order_by(source_events.c.id.desc())
        .limit(limit)
    )
    return [_plain(row) for row in connection.execute(query)]


def explain(connection: Connection, reference: str, limit: int) -> list[Answer]:
    """Return the story of each alert that ``reference`` names, the newest first: an alert's id, or a vendor's."""
    return [explain_alert(connection, alert_id) for alert_id in find_alerts(connection, reference, limit)]


def find_alerts(connection: Connection, reference: str, limit: int) -> list[str]:
    """Return the ids of the alerts that ``reference`` names, the newest first: an alert's id, or a vendor's."""
    everyone = select(accounts.c.id)  # so that the index of identities serves
    by_id = select(alerts.c.id).where(alerts.c.id == reference.upper())
    by_vendor = select(alerts.c.id).where(alerts.c.account_id.in_(everyone), alerts.c.upstream_id == reference)
    return list(connection.execute(by_id).scalars()) or list(
        connection.execute(by_vendor.order_by(alerts.c.id.desc()).limit(limit)).scalars()
    )


def explain_alert(connection: Connection, alert_id: str) -> Answer:
    """Return the whole story of one alert: itself, its routing, its deliveries with each attempt, its read mark, events."""
    row = connection.execute(
        select(*BRIEF, alerts.c.mark, alerts.c.suppressed_by).select_from(WITH_ACCOUNT).where(alerts.c.id == alert_id)
    ).one()
    content = connection.execute(select(alert_contents).where(alert_contents.c.alert_id == alert_id)).one_or_none()
    decision = load(content.decision) if content else None
    events = select(alert_events.c.at, alert_events.c.kind, alert_events.c.detail).where(
        alert_events.c.alert_id == alert_id
    )
    told = [_plain(each) for each in connection.execute(events.order_by(alert_events.c.id))]
    owed = _obligations(connection, [alert_id]).get(alert_id, [])
    named = [each["delivery_id"] for each in owed] + [each for event in told for each in deliveries_in(event["detail"])]
    first = repeats_of(connection, alert_id, decision)
    return _brief(row) | {
        "suppressed_by": suppressor(connection, row.suppression, row.suppressed_by),
        "message": content.message if content else None,
        "mark_read": row.mark,
        "routing": routing_answer(decision),
        "obligations": [each | {"detail": first.get(each["delivery_id"], each["detail"])} for each in owed],
        "deliveries": _deliveries_of(connection, named),
        "read_mark": _marks(connection, [alert_id]).get(alert_id),
        "events": told,
    }


def _plain(row: AnyRow) -> Answer:
    """Return the columns by name. The names that rows have are texts of SQLAlchemy's own, which JSON refuses."""
    return {str(name): value for name, value in row._mapping.items()}  # noqa: SLF001 - SQLAlchemy's public name


def _brief(row: AnyRow) -> Answer:
    return {
        "id": row.id,
        "account": row.account,
        "api": row.api,
        "upstream_id": row.upstream_id,
        "type": row.type,
        "severity": Severity(row.severity).text,
        "title": row.title,
        "url": row.url,
        "created_at": row.created_at,
        "received_at": row.received_at,
        "labels": row.labels,
        "via": row.via,
        "state": row.state,
        "suppressed": row.suppression,
    }


def routing_answer(decision: Decision | None) -> Answer:
    """Return a decision as plain values; nothing of one that is kept no more."""
    if decision is None:
        return {}
    return {
        "suppressed": decision.suppressed,
        "errors": list(decision.errors),
        "steps": [
            {
                "route": step.route,
                "matched": step.matched,
                "receiver": step.receiver,
                "failed": step.failed,
                "saw": step.saw,
                "note": step.note,
            }
            for step in decision.steps
        ],
        "destinations": [
            {
                "receiver": each.receiver,
                "route": each.route,
                "group_key": each.group_key,
                "group_labels": dict(each.group_labels),
                "digest": each.digest or None,
            }
            for each in decision.destinations
        ],
    }


def _obligations(connection: Connection, alert_ids: Sequence[str]) -> dict[str, list[Answer]]:
    owed: dict[str, list[Answer]] = {}
    for some in in_chunks(alert_ids):
        query = (
            select(obligations, channels.c.receiver, channels.c.kind, channels.c.name)
            .join(channels, channels.c.id == obligations.c.channel_id)
            .where(obligations.c.alert_id.in_(some))
            .order_by(obligations.c.alert_id, channels.c.receiver, channels.c.kind, channels.c.name)
        )
        for row in connection.execute(query):
            owed.setdefault(row.alert_id, []).append(
                {
                    "receiver": row.receiver,
                    "channel": row.kind,
                    "name": row.name,
                    "state": row.state,
                    "reason": row.reason,
                    "detail": row.detail,
                    "delivery_id": row.delivery_id,
                }
            )
    return owed


def _deliveries_of(connection: Connection, delivery_ids: Sequence[str]) -> list[Answer]:
    query = (
        select(deliveries, channels.c.receiver, channels.c.kind.label("channel"), channels.c.name)
        .join(channels, channels.c.id == deliveries.c.channel_id)
        .where(deliveries.c.id.in_(delivery_ids))
        .order_by(deliveries.c.id)
    )
    found = [_delivery(row) for row in connection.execute(query)]
    tried = (
        select(attempts).where(attempts.c.delivery_id.in_(delivery_ids)).order_by(attempts.c.delivery_id, attempts.c.n)
    )
    by_delivery: dict[str, list[Answer]] = {}
    for row in connection.execute(tried):
        by_delivery.setdefault(row.delivery_id, []).append(
            {
                "n": row.n,
                "started_at": row.started_at,
                "ended_at": row.ended_at,
                "outcome": row.outcome or "unknown",
                "reason": row.reason,
                "detail": row.detail,
            }
        )
    return [each | {"tries": by_delivery.get(each["id"], [])} for each in found]


def _delivery(row: AnyRow) -> Answer:
    return {
        "id": row.id,
        "receiver": row.receiver,
        "channel": row.channel,
        "name": row.name,
        "kind": row.kind,
        "state": row.state,
        "in_doubt": row.doubtful and row.state is DeliveryState.PENDING,
        "group_key": row.group_key,
        "origin": row.origin,
        "part": row.part,
        "parts": row.parts,
        "attempts": row.attempts,
        "created_at": row.created_at,
        "due_at": row.due_at,
        "finished_at": row.finished_at,
        "reason": None if (waiting := waits_for(row)) else row.reason,
        "waits_for": waiting,
        "suppressed": row.suppressed,
    }


def _marks(connection: Connection, alert_ids: Sequence[str]) -> dict[str, Answer]:
    marks: dict[str, Answer] = {}
    for some in in_chunks(alert_ids):
        for row in connection.execute(select(read_marks).where(read_marks.c.alert_id.in_(some))):
            marks[row.alert_id] = {
                "state": row.state,
                "attempts": row.attempts,
                "due_at": row.due_at,
                "finished_at": row.finished_at,
                "detail": row.detail,
            }
    return marks
