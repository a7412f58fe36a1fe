"""A ledger that has seen much, made by SQL: running so many alerts through a daemon would take an hour."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

from _payloads import visual_layer

from bellwire.ledger.database import open_database

if TYPE_CHECKING:
    from pathlib import Path

FIRST = 1_000_000_000
"""The number of the first alert that is made here: above those that benchmarks put into the stream."""

_NUMBERS = "WITH RECURSIVE numbers(n) AS (SELECT {first} UNION ALL SELECT n + 1 FROM numbers WHERE n + 1 < {end}) "
_ALERT, _DELIVERY = "printf('%026d', 2 * n)", "printf('%026d', 2 * n + 1)"
_MARK = "printf('bench-%010d', n)"


def fill(path: Path, base_url: str, *, settled: int = 0, waiting: int = 0) -> None:
    """Make a ledger with alerts of one account, ``vendor``: some delivered and marked, then some that wait for ``hook0``."""
    database = open_database(f"sqlite:///{path}")
    try:
        with database.writer.begin() as connection:
            now = int(time.time() * 1_000_000)
            wanted = {"account": base_url, "now": now, "labels": _labels(), "item": visual_layer().item(0).decode()}
            run = connection.connection.cursor().execute
            run("INSERT INTO accounts (id, name, base_url) VALUES (1, 'vendor', :account)", wanted)
            run("INSERT INTO channels (id, receiver, kind, name) VALUES (1, 'hook0', 'webhook', '')")
            for first, number, done in ((FIRST, settled, True), (FIRST + settled, waiting, False)):
                numbers = _NUMBERS.format(first=first, end=first + number)
                for table, columns in _tables(done=done).items() if number else ():
                    names, values = ", ".join(columns), ", ".join(columns.values())
                    run(f"INSERT INTO {table} ({names}) {numbers} SELECT {values} FROM numbers", wanted)  # noqa: S608 - constants
            totals = {
                "alerts.received": settled + waiting,
                "alerts.delivered": settled,
                "alerts.in_flight": waiting,
                "deliveries.sent": settled,
                "deliveries.pending": waiting,
                "read_marks.confirmed": settled,
            }
            connection.connection.cursor().executemany("INSERT INTO totals VALUES (?, ?)", list(totals.items()))
    finally:
        database.close()


def _tables(*, done: bool) -> dict[str, dict[str, str]]:
    """Return the columns of each table with the SQL of their values."""
    settled_at = ":now" if done else "NULL"
    alert = {"id": _ALERT, "account_id": "1", "upstream_id": _MARK, "api": "'visual_layer'", "type": "'alert'"}
    alert |= {"severity": "2", "title": "'Forklifts near people: 12 new results'", "created_at": ":now"}
    alert |= {"received_at": ":now", "labels": ":labels", "via": "'stream'", "mark": "'delivered'", "markable": "1"}
    alert |= {"state": "'delivered'" if done else "'in_flight'", "settled_at": settled_at}
    content = {"alert_id": _ALERT, "message": "''", "decision": "CAST('{}' AS BLOB)"}
    content |= {
        "payload": "CAST('null' AS BLOB)" if done else f"CAST(replace(:item, 'bench-0000000000', {_MARK}) AS BLOB)"
    }
    obligation = {
        "alert_id": _ALERT,
        "channel_id": "1",
        "delivery_id": _DELIVERY,
        "state": "'sent'" if done else "'open'",
    }
    delivery = {"id": _DELIVERY, "channel_id": "1", "kind": "'alert'", "state": "'sent'" if done else "'pending'"}
    delivery |= {
        "group_key": "''",
        "group_labels": "'{}'",
        "group_interval": "0",
        "head": "1",
        "open": "0",
        "part": "1",
    }
    delivery |= {
        "parts": "1",
        "due_at": ":now",
        "attempts": "1" if done else "0",
        "doubtful": "0",
        "created_at": ":now",
    }
    delivery |= {"finished_at": settled_at, "wanted_at": ":now"}
    tables = {"alerts": alert, "alert_contents": content, "obligations": obligation, "deliveries": delivery}
    if done:
        mark = {"alert_id": _ALERT, "account_id": "1", "upstream_id": _MARK, "state": "'confirmed'", "due_at": ":now"}
        tables["read_marks"] = mark | {"attempts": "1", "finished_at": ":now"}
        tables["attempts"] = {"delivery_id": _DELIVERY, "n": "1", "started_at": ":now", "outcome": "'sent'"}
    return tables


def _labels() -> str:
    labels = {"account": "vendor", "api": "visual_layer", "type": "alert", "severity": "warning"}
    return json.dumps(
        labels | {"view_name": "Forklifts near people", "result_count": "12", "dataset_name": "Warehouse West"}
    )
