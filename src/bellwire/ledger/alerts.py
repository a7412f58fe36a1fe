"""Alerts out of the database, as the model has them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson
from sqlalchemy import bindparam, select

from bellwire.ledger.prepared import KEYS, Prepared
from bellwire.ledger.tables import accounts, alert_contents, alerts, obligations
from bellwire.model import Alert, ObligationState, Severity

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

    from bellwire.ledger.transaction import Transaction
    from bellwire.ledger.types import AnyRow
    from bellwire.model import Json

HEAD_COLUMNS = (
    alerts.c.id,
    accounts.c.name.label("account"),
    alerts.c.api,
    alerts.c.upstream_id,
    alerts.c.type,
    alerts.c.severity,
    alerts.c.title,
    alerts.c.url,
    alerts.c.created_at,
    alerts.c.received_at,
    alerts.c.labels,
)
"""An alert without its content."""

WITH_ACCOUNT = alerts.join(accounts, accounts.c.id == alerts.c.account_id)

_MEMBERS = Prepared(
    select(obligations.c.delivery_id, *HEAD_COLUMNS, alert_contents.c.message, alert_contents.c.payload)
    .select_from(
        WITH_ACCOUNT.join(obligations, obligations.c.alert_id == alerts.c.id).join(
            alert_contents, alert_contents.c.alert_id == alerts.c.id
        )
    )
    .where(obligations.c.delivery_id.in_(KEYS), obligations.c.state == bindparam("state"))
    .order_by(obligations.c.alert_id)
)
_MEMBER_IDS = Prepared(
    select(obligations.c.delivery_id, obligations.c.alert_id)
    .where(obligations.c.delivery_id.in_(KEYS), obligations.c.state == bindparam("state"))
    .order_by(obligations.c.alert_id)
)


def alerts_of(
    connection: Connection, delivery_ids: Sequence[str], state: ObligationState = ObligationState.OPEN
) -> dict[str, list[Alert]]:
    """Return the alerts that each of these deliveries still owes, or has brought into another state, oldest first."""
    members: dict[str, list[Alert]] = {}
    for row in _MEMBERS.all(connection, {"state": state}, keys=delivery_ids):
        members.setdefault(row.delivery_id, []).append(alert_of_row(row))
    return members


def open_alerts(tx: Transaction, delivery_ids: Sequence[str]) -> dict[str, list[Alert]]:
    """Return the alerts that each of these deliveries still owes, the oldest first; fresh ones are not read."""
    if not tx.fresh:
        return alerts_of(tx.connection, delivery_ids)
    members: dict[str, list[Alert]] = {}
    unknown: list[str] = []
    for delivery_id, alert_ids in owed_by(tx.connection, delivery_ids).items():
        known = [alert for alert_id in alert_ids if (alert := tx.fresh.get(alert_id)) is not None]
        if len(known) == len(alert_ids):
            members[delivery_id] = known
        else:
            unknown.append(delivery_id)
    return members | alerts_of(tx.connection, unknown) if unknown else members


def owed_by(connection: Connection, delivery_ids: Sequence[str]) -> dict[str, list[str]]:
    """Return the ids of the alerts that each of these deliveries still owes, the oldest first."""
    members: dict[str, list[str]] = {}
    for row in _MEMBER_IDS.all(connection, {"state": ObligationState.OPEN}, keys=delivery_ids):
        members.setdefault(row.delivery_id, []).append(row.alert_id)
    return members


def alert_of_row(row: AnyRow) -> Alert:
    """Return the alert of a row that has `HEAD_COLUMNS`, message and payload."""
    return alert_of_head(row, row.message, orjson.loads(row.payload))


def alert_of_head(row: AnyRow, message: str = "", payload: Json = None) -> Alert:
    """Return the alert of a row that has `HEAD_COLUMNS`, with this content."""
    return Alert(
        id=row.id,
        account=row.account,
        api=row.api,
        upstream_id=row.upstream_id,
        type=row.type,
        severity=Severity(row.severity),
        title=row.title,
        message=message,
        url=row.url,
        created_at=row.created_at,
        received_at=row.received_at,
        labels=row.labels,
        payload=payload,
    )
