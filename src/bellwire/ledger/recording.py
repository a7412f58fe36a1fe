"""Writing what arrived: alert, decision, obligations and deliveries in one transaction."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, select

from bellwire.ledger.marking import insert_marks
from bellwire.ledger.payloads import dump_payload
from bellwire.ledger.tables import (
    UNFINISHED,
    accounts,
    alert_contents,
    alert_events,
    alerts,
    deliveries,
    groups,
    obligations,
    read_marks,
)
from bellwire.ledger.transaction import in_chunks
from bellwire.model import AlertState, DeliveryKind, DeliveryState, MarkState, ObligationState
from bellwire.routing.record import dump
from bellwire.states import may_mark

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import ColumnElement

    from bellwire.ledger.transaction import Transaction
    from bellwire.model import AccountKey, Destination
    from bellwire.records import Arrival

Row = dict[str, Any]

NOT_YET = datetime(9999, 1, 1, tzinfo=UTC)
"""When a catch-up digest is due: once someone says that the catch-up has read everything."""

GROUP_LIFE = timedelta(hours=24)
"""How long after its last message a group ends, unless its interval is longer."""


@dataclass(slots=True)
class _Rows:
    """What the batch adds, table by table."""

    alerts: list[Row] = field(default_factory=list)
    contents: list[Row] = field(default_factory=list)
    obligations: list[Row] = field(default_factory=list)
    deliveries: list[Row] = field(default_factory=list)
    marks: list[Row] = field(default_factory=list)


def record_arrivals(tx: Transaction, batches: Sequence[Sequence[Arrival]]) -> list[list[str | None]]:
    """Write the arrivals that are not known yet; return each one's new id, None where it was known."""
    known = _known(tx, [arrival for batch in batches for arrival in batch])
    rows = _Rows()
    open_groups = _OpenGroups(tx, rows)
    results = [[_record(tx, arrival, known, rows, open_groups) for arrival in batch] for batch in batches]
    for table, new in (
        (alerts, rows.alerts),
        (alert_contents, rows.contents),
        (obligations, rows.obligations),
        (deliveries, rows.deliveries),
    ):
        if new:
            tx.connection.execute(table.insert(), new)
    insert_marks(tx, rows.marks)
    return results


def release_digests(tx: Transaction, keys: Sequence[AccountKey]) -> list[None]:
    """Make the catch-up digests of these accounts due, and closed to further members."""
    _release(tx, deliveries.c.group_key.in_([catch_up_group(key) for key in keys]))
    return [None] * len(keys)


def release_abandoned_digests(tx: Transaction, questions: Sequence[Sequence[AccountKey]]) -> list[None]:
    """Make those catch-up digests due that no catch-up of any of these accounts will ever release."""
    for kept in questions:
        _release(tx, deliveries.c.group_key.not_in([catch_up_group(key) for key in kept]))
    return [None] * len(questions)


def _release(tx: Transaction, condition: ColumnElement[bool]) -> None:
    waiting = select(deliveries.c.id).where(UNFINISHED, deliveries.c.open, deliveries.c.due_at == NOT_YET, condition)
    ids = list(tx.connection.execute(waiting).scalars())
    for some in in_chunks(ids):
        values = {"due_at": tx.now, "open": False}
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


def catch_up_group(account: AccountKey) -> str:
    """Return the group of an account's catch-up digests; no route's group is called so."""
    return f"catch_up {account.name} {account.base_url}"


def reopened_query(account: AccountKey, upstream_ids: Sequence[str], before: datetime) -> Any:
    """Return the query for known ids, each with its alert's id where its mark was confirmed before ``before``."""
    confirmed = and_(
        read_marks.c.alert_id == alerts.c.id,
        read_marks.c.state == MarkState.CONFIRMED,
        read_marks.c.finished_at < before,
    )
    return (
        select(alerts.c.upstream_id, read_marks.c.alert_id)
        .select_from(alerts.join(accounts, accounts.c.id == alerts.c.account_id).outerjoin(read_marks, confirmed))
        .where(
            accounts.c.name == account.name,
            accounts.c.base_url == account.base_url,
            alerts.c.upstream_id.in_(upstream_ids),
        )
    )


def _known(tx: Transaction, arrivals: Sequence[Arrival]) -> set[tuple[int, str]]:
    wanted: dict[int, list[str]] = {}
    for arrival in arrivals:
        wanted.setdefault(tx.account_id(arrival.account), []).append(arrival.alert.upstream_id)
    known: set[tuple[int, str]] = set()
    for account_id, ids in wanted.items():
        for some in in_chunks(ids):
            query = select(alerts.c.upstream_id).where(
                alerts.c.account_id == account_id, alerts.c.upstream_id.in_(some)
            )
            known.update((account_id, each) for each in tx.connection.execute(query).scalars())
    return known


def _record(
    tx: Transaction, arrival: Arrival, known: set[tuple[int, str]], rows: _Rows, open_groups: _OpenGroups
) -> str | None:
    alert = arrival.alert
    account_id = tx.account_id(arrival.account)
    identity = (account_id, alert.upstream_id)
    if identity in known:
        return None
    known.add(identity)
    alert_id = tx.new_id()
    owed = _oblige(tx, arrival, alert_id, rows, open_groups)
    state = AlertState.IN_FLIGHT if owed else AlertState.SUPPRESSED
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
            "state": state,
            "suppression": arrival.decision.suppressed,
            "settled_at": None if owed else tx.now,
        }
    )
    rows.contents.append(
        {
            "alert_id": alert_id,
            "message": alert.message,
            "payload": dump_payload(alert.payload),
            "decision": dump(arrival.decision),
        }
    )
    if not owed and arrival.markable and may_mark(arrival.mark, ()):
        rows.marks.append({"alert_id": alert_id, "account_id": account_id, "upstream_id": alert.upstream_id})
        tx.due_accounts.add(arrival.account)
    tx.count("alerts.received")
    tx.count(f"alerts.{state}")
    return alert_id


def _oblige(tx: Transaction, arrival: Arrival, alert_id: str, rows: _Rows, open_groups: _OpenGroups) -> bool:
    """Owe the alert to each channel of each destination; return whether it is owed to any."""
    owed = False
    for destination, keys in zip(arrival.decision.destinations, arrival.channels, strict=True):
        for key in keys:
            channel_id = tx.channel_id(key)
            if arrival.digest:
                delivery_id = open_groups.catch_up(channel_id, arrival.account)
            elif destination.group_key:
                delivery_id = open_groups.member(channel_id, destination)
            else:
                delivery_id = open_groups.alone(channel_id)
            tx.due_channels.add(key)
            rows.obligations.append(
                {
                    "alert_id": alert_id,
                    "channel_id": channel_id,
                    "delivery_id": delivery_id,
                    "state": ObligationState.OPEN,
                }
            )
            owed = True
    return owed


class _OpenGroups:
    """The deliveries that take members in this transaction, found or begun."""

    def __init__(self, tx: Transaction, rows: _Rows) -> None:
        self._tx = tx
        self._rows = rows
        self._open: dict[tuple[int, str], str] = {}

    def alone(self, channel_id: int) -> str:
        """Return a delivery of its own for one alert."""
        return self._begin(channel_id, DeliveryKind.ALERT, due_at=self._tx.now, open_=False)

    def catch_up(self, channel_id: int, account: AccountKey) -> str:
        """Return the account's catch-up digest for the channel, which waits until the catch-up has ended."""
        key = (channel_id, catch_up_group(account))
        if key not in self._open:
            self._open[key] = self._find(*key) or self._begin(
                channel_id, DeliveryKind.DIGEST, due_at=NOT_YET, group_key=key[1], head=not self._busy(*key)
            )
        return self._open[key]

    def member(self, channel_id: int, destination: Destination) -> str:
        """Return the group's open delivery for the channel."""
        key = (channel_id, destination.group_key)
        if key not in self._open:
            self._open[key] = self._find(*key) or self._begin(
                channel_id,
                DeliveryKind.GROUP,
                due_at=self._due(channel_id, destination),
                group_key=destination.group_key,
                group_labels=dict(destination.group_labels),
                group_interval=destination.interval,
                head=not self._busy(*key),
            )
        return self._open[key]

    def _find(self, channel_id: int, group_key: str) -> str | None:
        query = select(deliveries.c.id).where(
            UNFINISHED, deliveries.c.channel_id == channel_id, deliveries.c.group_key == group_key, deliveries.c.open
        )
        return self._tx.connection.execute(query).scalars().first()

    def _busy(self, channel_id: int, group_key: str) -> bool:
        query = select(deliveries.c.id).where(
            UNFINISHED, deliveries.c.channel_id == channel_id, deliveries.c.group_key == group_key
        )
        return self._tx.connection.execute(query.limit(1)).first() is not None

    def _due(self, channel_id: int, destination: Destination) -> datetime:
        query = select(groups.c.last_message_at).where(
            groups.c.channel_id == channel_id, groups.c.group_key == destination.group_key
        )
        last: datetime | None = self._tx.connection.execute(query).scalar_one_or_none()
        now, interval = self._tx.now, timedelta(seconds=destination.interval)
        if last is None or now >= last + max(interval, GROUP_LIFE):
            return now + timedelta(seconds=destination.wait)
        return max(now, last + interval)

    def _begin(self, channel_id: int, kind: DeliveryKind, *, due_at: datetime, open_: bool = True, **group: Any) -> str:
        delivery_id = self._tx.new_id()
        row = {
            "id": delivery_id,
            "channel_id": channel_id,
            "kind": kind,
            "state": DeliveryState.PENDING,
            "group_key": "",
            "group_labels": {},
            "group_interval": 0.0,
            "head": True,
            "open": open_,
            "part": 1,
            "parts": 1,
            "due_at": due_at,
            "attempts": 0,
            "doubtful": False,
            "created_at": self._tx.now,
        }
        self._rows.deliveries.append(row | group)
        self._tx.count("deliveries.pending")
        return delivery_id
