"""From obligations to alerts: the state that they say, and the read marks that follow from it."""

from __future__ import annotations

import itertools
from collections import defaultdict
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import bindparam, select

from bellwire.ledger.marking import insert_marks
from bellwire.ledger.prepared import KEYS, Prepared
from bellwire.ledger.repeating import review
from bellwire.ledger.tables import accounts, alerts, obligations
from bellwire.model import AccountKey, AlertState, ObligationState, Suppression
from bellwire.states import may_mark, settle

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from bellwire.ledger.transaction import Transaction
    from bellwire.ledger.types import AnyRow

_SETTLE_ALERTS = Prepared(
    alerts.update()
    .where(alerts.c.id.in_(KEYS))
    .values(
        state=bindparam("to_state"),
        settled_at=bindparam("to_settled_at"),
        suppression=bindparam("to_suppression"),
        suppressed_by=bindparam("to_suppressed_by"),
    )
)
_OWED = Prepared(
    select(
        obligations.c.alert_id,
        obligations.c.delivery_id,
        obligations.c.state.label("obligation"),
        obligations.c.reason,
        obligations.c.detail,
        alerts.c.state,
        alerts.c.mark,
        alerts.c.markable,
        alerts.c.account_id,
        alerts.c.upstream_id,
        alerts.c.created_at,
        accounts.c.name,
        accounts.c.base_url,
    )
    .select_from(
        obligations.join(alerts, alerts.c.id == obligations.c.alert_id).join(
            accounts, accounts.c.id == alerts.c.account_id
        )
    )
    .where(obligations.c.alert_id.in_(KEYS))
    .order_by(obligations.c.alert_id)
)
_MEMBERS = Prepared(select(obligations.c.alert_id).where(obligations.c.delivery_id.in_(KEYS)))


class _Standing(NamedTuple):
    """Where alerts stand, and why: those that stand alike are written together."""

    state: AlertState
    why: Suppression | None
    by: str | None


def alerts_in(tx: Transaction, delivery_ids: Sequence[str]) -> set[str]:
    """Return the alerts that these deliveries name."""
    return {row.alert_id for row in _MEMBERS.all(tx.connection, keys=delivery_ids)}


def settle_alerts(tx: Transaction, alert_ids: Collection[str]) -> dict[str, list[AnyRow]]:
    """Bring these alerts to the state that their obligations say, and owe their read marks. Repeats follow.

    Returns each alert's obligations, to whatever channel: ``delivery_id``, ``obligation`` (its state), and the alert's
    ``created_at``.
    """
    owed = dict(_owed(tx, {*alert_ids, *review(tx, alert_ids)}))
    changed: defaultdict[_Standing, list[str]] = defaultdict(list)
    marks: list[dict[str, Any]] = []
    for alert_id, rows in owed.items():
        alert, states = rows[0], [row.obligation for row in rows]
        state = settle(states)
        if state is not alert.state:
            why, by = _suppression(rows) if state is AlertState.SUPPRESSED else (None, None)
            changed[_Standing(state, why, by)].append(alert_id)
            tx.move("alerts", alert.state, state)
        abandoned = any(row.reason == Suppression.ABANDONED for row in rows)
        if alert.markable and may_mark(alert.mark, states, abandoned=abandoned):
            marks.append({"alert_id": alert_id, "account_id": alert.account_id, "upstream_id": alert.upstream_id})
            tx.due_accounts.add(AccountKey(name=alert.name, base_url=alert.base_url))
    for standing, ids in changed.items():
        if standing.state is not AlertState.IN_FLIGHT:
            tx.fresh.forget(ids)
        settled_at = None if standing.state is AlertState.IN_FLIGHT else tx.now
        values = {"to_state": standing.state, "to_suppression": standing.why, "to_suppressed_by": standing.by}
        _SETTLE_ALERTS.run(tx.connection, values | {"to_settled_at": settled_at}, keys=ids)
    insert_marks(tx, marks)
    return owed


def _owed(tx: Transaction, alert_ids: Collection[str]) -> Iterator[tuple[str, list[AnyRow]]]:
    rows = _OWED.all(tx.connection, keys=sorted(alert_ids))
    for alert_id, of_alert in itertools.groupby(rows, key=lambda row: row.alert_id):
        yield alert_id, list(of_alert)


def _suppression(rows: Sequence[AnyRow]) -> tuple[Suppression | None, str | None]:
    """Return why nothing was sent, and by whom: the first of its channels that has a reason speaks for all."""
    reasons = ((row.reason, row.detail) for row in rows if row.obligation is ObligationState.SUPPRESSED)
    known = ((Suppression(reason), by) for reason, by in reasons if reason in set(Suppression))
    return next(known, (None, None))
