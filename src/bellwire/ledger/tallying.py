"""What went where: the newest alerts counted by the routes that took them, in bounded time however many there are."""

from __future__ import annotations

import time
from collections import Counter
from typing import TYPE_CHECKING, Any

import orjson
from sqlalchemy import select

from bellwire.ledger.ids import least_at
from bellwire.ledger.tables import alert_contents, alerts

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Connection

Answer = dict[str, Any]

PATIENCE = 0.15
"""Seconds that one count takes at most, but for its last step."""

_STEP = 500


def tally_routes(connection: Connection, since: datetime, patience: float = PATIENCE) -> Answer:
    """Return how many alerts each route took since then.

    ``alerts`` were counted, the newest ones, the oldest of which came at ``from`` (None if there were none); ``whole``
    says whether that is all since then. ``routes`` has by route, then by receiver, how many alerts went there;
    ``dropped`` by route how many it dropped.
    """
    ends, least, before = time.monotonic() + patience, least_at(since), None
    went: dict[str, Counter[str]] = {}
    dropped: Counter[str] = Counter()
    counted, whole, oldest = 0, True, None
    newest = select(alerts.c.id, alerts.c.received_at, alert_contents.c.decision)
    newest = newest.select_from(alerts.join(alert_contents, alert_contents.c.alert_id == alerts.c.id))
    newest = newest.where(alerts.c.id >= least).order_by(alerts.c.id.desc()).limit(_STEP)
    while True:
        rows = connection.execute(newest if before is None else newest.where(alerts.c.id < before)).all()
        for row in rows:
            _count(orjson.loads(row.decision), went, dropped)
        counted += len(rows)
        if rows:
            before, oldest = rows[-1].id, rows[-1].received_at
        if len(rows) < _STEP:
            break
        if time.monotonic() >= ends:
            whole = False
            break
    routes = {route: dict(receivers) for route, receivers in went.items()}
    return {"alerts": counted, "from": oldest, "whole": whole, "routes": routes, "dropped": dict(dropped)}


def _count(decision: Answer, went: dict[str, Counter[str]], dropped: Counter[str]) -> None:
    """Count one decision, as `bellwire.routing.record` wrote it."""
    for each in decision["destinations"]:
        went.setdefault(each["route"], Counter())[each["receiver"]] += 1
    for route, matched, _, _, _, note in decision["steps"]:
        if matched and note == "dropped":
            dropped[route] += 1
