"""Looking for alerts: by matchers, time and state, the newest first, in bounded time however many there are.

What has an index narrows the search; everything else is looked at alert by alert, from the newest on, for as long as the
caller has patience. Then the answer says where to go on.
"""

from __future__ import annotations

import itertools
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson
from sqlalchemy import Text, false, select, type_coerce

from bellwire.ledger.alerts import WITH_ACCOUNT, alert_of_head
from bellwire.ledger.ids import least_at
from bellwire.ledger.reading import BRIEF, with_outcomes
from bellwire.ledger.tables import DEAD_ALERTS, SUPPRESSED_ALERTS, UNSETTLED, accounts, alert_contents, alerts
from bellwire.ledger.transaction import in_chunks
from bellwire.model import AlertState, Severity
from bellwire.routing.matchers import Op, all_match
from bellwire.routing.readers import FIELDS, PAYLOAD

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime

    from sqlalchemy import ColumnElement, Connection, TextClause

    from bellwire.ledger.types import AnyRow
    from bellwire.routing.matchers import Matcher

Answer = dict[str, Any]

PATIENCE = 0.2
"""Seconds that one search takes at most, but for its last step."""

_FIRST_STEP = 200  # alerts looked at before the clock is
_LONGEST_STEP = 3_200

_SERVED: dict[AlertState, TextClause] = {
    AlertState.IN_FLIGHT: UNSETTLED,
    AlertState.DEAD: DEAD_ALERTS,
    AlertState.SUPPRESSED: SUPPRESSED_ALERTS,
}
"""States that are rare, in the words of their indexes."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Search:
    """What to look for. ``before`` is an alert's id: only older ones; times are those of arrival."""

    matchers: tuple[Matcher, ...] = ()
    state: AlertState | None = None
    since: datetime | None = None
    until: datetime | None = None
    before: str | None = None
    limit: int = 50


def search_alerts(connection: Connection, search: Search, patience: float = PATIENCE) -> Answer:
    """Return ``alerts``, the newest that match, and ``next``: the id to go on ``before``, None if there are no more.

    Where patience ended the search, there may be fewer than asked for, or none, and still a ``next``.
    """
    ends = time.monotonic() + patience
    found: list[AnyRow] = []
    following: str | None = None
    for step in _steps(connection, search):
        found += itertools.islice(_matching(connection, search, step), search.limit - len(found))
        following = step[-1]
        if len(found) == search.limit:
            following = found[-1].id
            break
        if time.monotonic() >= ends:
            break
    else:
        following = None
    return {"alerts": with_outcomes(connection, found), "next": following}


def _steps(connection: Connection, search: Search) -> Iterator[Sequence[str]]:
    """Yield the ids of what an index finds, the newest first, a bounded number at a time."""
    indexed = _indexed(search)
    before, size = search.before, max(_FIRST_STEP, search.limit)
    while True:
        query = select(alerts.c.id).where(*indexed).order_by(alerts.c.id.desc()).limit(size)
        ids = list(connection.execute(query if before is None else query.where(alerts.c.id < before)).scalars())
        if ids:
            yield ids
        if len(ids) < size:
            return
        before, size = ids[-1], min(size * 2, _LONGEST_STEP)


def _indexed(search: Search) -> list[Any]:
    """Return what bounds the scan: the time, and the most telling condition that has an index."""
    bounds = _bounds(search)
    if search.state in _SERVED:
        return [*bounds, _SERVED[search.state]]
    exact = {one.name: one.value for one in search.matchers if one.op is Op.EQUAL and one.value}
    for name in ("type", "account", "severity"):
        if name in exact:
            return [*bounds, _COLUMN[name](exact[name])]
    return bounds


def _bounds(search: Search) -> list[Any]:
    bounds: list[Any] = []
    if search.since is not None:
        bounds.append(alerts.c.id >= least_at(search.since))
    if search.until is not None:
        bounds.append(alerts.c.id < least_at(search.until))
    return bounds


def _account(value: str) -> ColumnElement[bool]:
    return alerts.c.account_id.in_(select(accounts.c.id).where(accounts.c.name == value))


def _severity(value: str) -> ColumnElement[bool]:
    severity = Severity.of(value)
    return false() if severity is None else alerts.c.severity == int(severity)


_COLUMN: dict[str, Callable[[str], ColumnElement[bool]]] = {
    "type": lambda value: alerts.c.type == value,
    "account": _account,
    "severity": _severity,
}
"""Labels with an index. A label rule may have changed a type: then the vendor's counts here."""


def _matching(connection: Connection, search: Search, ids: Sequence[str]) -> Iterator[AnyRow]:
    deep = any(one.name == "message" or one.name.startswith(PAYLOAD) for one in search.matchers)
    columns = (*BRIEF, alert_contents.c.message, alert_contents.c.payload) if deep else BRIEF
    source = WITH_ACCOUNT
    if deep:
        source = source.outerjoin(alert_contents, alert_contents.c.alert_id == alerts.c.id)
    query = select(*columns).select_from(source).where(*_conditions(search)).order_by(alerts.c.id.desc())
    rest = [one for one in search.matchers if one.name not in _COLUMN or one.op is not Op.EQUAL or not one.value]
    for wanted in _parts(search, ids):
        for row in connection.execute(query.where(wanted)):
            if not rest or _matches(rest, row, deep=deep):
                yield row


def _parts(search: Search, ids: Sequence[str]) -> Iterator[ColumnElement[bool]]:
    """Yield the conditions that together name these ids: one, where no index has left any out between them."""
    if len(_indexed(search)) == len(_bounds(search)):
        yield alerts.c.id.between(ids[-1], ids[0])
        return
    for some in in_chunks(ids):
        yield alerts.c.id.in_(some)


def _conditions(search: Search) -> Iterator[ColumnElement[bool]]:
    """Yield what the database can check, exactly or as a first sieve."""
    if search.state is not None:
        yield alerts.c.state == search.state
    for one in search.matchers:
        if one.op is not Op.EQUAL or not one.value:
            continue
        if one.name in _COLUMN:
            yield _COLUMN[one.name](one.value)
        elif one.name not in FIELDS and not one.name.startswith(PAYLOAD):
            label = orjson.dumps({one.name: one.value})[1:-1].decode()
            yield type_coerce(alerts.c.labels, Text).contains(label, autoescape=True)


def _matches(matchers: Sequence[Matcher], row: AnyRow, *, deep: bool) -> bool:
    kept = deep and row.payload is not None  # what retention stripped has neither message nor payload
    alert = alert_of_head(row, row.message, orjson.loads(row.payload)) if kept else alert_of_head(row)
    return all_match(matchers, alert)
