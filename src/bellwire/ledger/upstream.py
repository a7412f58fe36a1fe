"""Alerts whose items someone read at the vendor before they were sent: they need not be sent any more.

What Bellwire marked itself never counts, nor what it marked for another account of the same inbox.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import bindparam, select

from bellwire.ledger.settlement import settle_alerts
from bellwire.ledger.tables import UNSETTLED, accounts, alert_events, alerts, read_marks
from bellwire.ledger.transaction import in_chunks
from bellwire.ledger.withdrawing import waiting, withdraw, without_torn
from bellwire.model import ObligationState, Suppression

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

    from bellwire.ledger.transaction import Transaction
    from bellwire.model import AccountKey

_LOOKED_AT = 5_000  # of all that is in flight: bounds the search, whoever's it is
_MOST = 1_000

_FOUND = select(alerts.c.id, alerts.c.upstream_id).where(
    alerts.c.account_id == bindparam("account"), alerts.c.upstream_id.in_(bindparam("keys", expanding=True)), UNSETTLED
)
_MARKED = (
    select(alerts.c.upstream_id)
    .join(read_marks, read_marks.c.alert_id == alerts.c.id)
    .where(
        alerts.c.account_id.in_(bindparam("accounts", expanding=True)),
        alerts.c.upstream_id.in_(bindparam("keys", expanding=True)),
    )
)


def in_flight(connection: Connection, account: AccountKey) -> set[str]:
    """Return the items of the account's alerts that are not settled: the oldest, and a thousand at most."""
    oldest = select(alerts.c.account_id, alerts.c.upstream_id, alerts.c.id).where(UNSETTLED).order_by(alerts.c.id)
    looked_at = oldest.limit(_LOOKED_AT).subquery()
    query = (
        select(looked_at.c.upstream_id)
        .join(accounts, accounts.c.id == looked_at.c.account_id)
        .where(accounts.c.name == account.name, accounts.c.base_url == account.base_url)
        .order_by(looked_at.c.id)
        .limit(_MOST)
    )
    return set(connection.execute(query).scalars())


def suppress_read(tx: Transaction, batches: Sequence[tuple[AccountKey, Sequence[str], str]]) -> list[int]:
    """Suppress what is still owed of these items, found to be read in the way that is named; return how many alerts."""
    return [_suppress_read(tx, account, upstream_ids, how) for account, upstream_ids, how in batches]


def _suppress_read(tx: Transaction, account: AccountKey, upstream_ids: Sequence[str], how: str) -> int:
    of_inbox = list(tx.connection.execute(select(accounts.c.id).filter_by(base_url=account.base_url)).scalars())
    found: dict[str, str] = {}
    for some in in_chunks(upstream_ids):
        items = tx.connection.execute(_FOUND, {"account": tx.account_id(account), "keys": some})
        by_item = {row.upstream_id: row.id for row in items}
        marked = set(tx.connection.execute(_MARKED, {"accounts": of_inbox, "keys": some}).scalars())
        found |= {alert_id: item for item, alert_id in by_item.items() if item not in marked}
    rows = without_torn(tx, waiting(tx, found))
    if not rows:
        return 0
    withdraw(tx, rows, ObligationState.SUPPRESSED, Suppression.READ_UPSTREAM)
    alert_ids = {row.alert_id for row in rows}
    events = [
        {"alert_id": each, "at": tx.now, "kind": "read_upstream", "detail": {"found_by": how}}
        for each in sorted(alert_ids)
    ]
    tx.connection.execute(alert_events.insert(), events)
    settle_alerts(tx, alert_ids)
    return len(alert_ids)
