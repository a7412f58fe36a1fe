"""Alerts of the past, whole and in the order in which they came: for trying other rules on them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import bindparam, func, select

from bellwire.ledger.alerts import HEAD_COLUMNS, WITH_ACCOUNT, alert_of_row
from bellwire.ledger.ids import least_at
from bellwire.ledger.tables import alert_contents, alerts
from bellwire.routing.record import load

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from sqlalchemy import Connection

    from bellwire.model import Alert, Decision

_PAGE = 500

_WHOLE = select(
    *HEAD_COLUMNS, alert_contents.c.message, alert_contents.c.payload, alert_contents.c.decision
).select_from(WITH_ACCOUNT.join(alert_contents, alert_contents.c.alert_id == alerts.c.id))


def count_since(connection: Connection, since: datetime) -> int:
    """Return how many alerts came since, those too whose content is kept no more."""
    query = select(func.count()).select_from(alerts).where(alerts.c.id >= least_at(since))
    found: int = connection.execute(query).scalar_one()
    return found


def alerts_since(connection: Connection, since: datetime) -> Iterator[tuple[Alert, Decision]]:
    """Yield each alert that came since and is kept whole, with what was decided for it.

    A page of them is in memory at once, and each is a transaction of its own: one that lasts keeps the log from being
    folded into the database.
    """
    last = least_at(since)
    query = _WHOLE.where(alerts.c.id > bindparam("last")).order_by(alerts.c.id).limit(_PAGE)
    while rows := connection.execute(query, {"last": last}).all():
        connection.rollback()
        for row in rows:
            yield alert_of_row(row), load(row.decision)
        last = rows[-1].id


def whole_alert(connection: Connection, alert_id: str) -> tuple[Alert, Decision] | None:
    """Return one alert, None if there is none or if it was stripped."""
    row = connection.execute(_WHOLE.where(alerts.c.id == alert_id)).one_or_none()
    return None if row is None else (alert_of_row(row), load(row.decision))
