"""Silences as people handle them: added, listed, ended, and tried before they are added."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import orjson
from sqlalchemy import or_, select

from bellwire.ledger import silencing
from bellwire.ledger.alerts import HEAD_COLUMNS, WITH_ACCOUNT
from bellwire.ledger.tables import UNSETTLED, alert_contents, alerts, silences
from bellwire.model import Alert, Severity
from bellwire.routing.matchers import all_match

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from datetime import datetime
    from typing import Protocol

    from sqlalchemy import Connection

    from bellwire.ledger.types import AnyRow
    from bellwire.ledger.writer import Writer
    from bellwire.ports import Clock
    from bellwire.records import Expiry, NewSilence
    from bellwire.routing.matchers import Matcher

    A = TypeVar("A")

    class Ask(Protocol):
        """`bellwire.ledger.ledger.Ledger.ask`."""

        def __call__(self, question: Callable[[Connection], A]) -> Awaitable[A]:
            """Answer a question."""
            ...


Answer = dict[str, Any]

MOST_ENDED = 1000
"""How many silences that have ended are listed at once."""

_MOST_STANDING = 10_000
"""How many that hold, or will, are listed: each of them costs every alert a look, so there are never so many."""

_TRIED = 500
"""How many alerts in flight, and how many of the newest, a silence is tried on."""

_BY_END = select(silences).order_by(silences.c.ends_at.desc(), silences.c.id.desc())  # which an index serves
_CONTENTS = WITH_ACCOUNT.outerjoin(alert_contents, alert_contents.c.alert_id == alerts.c.id)


class Silences:
    """The silences of one ledger."""

    def __init__(self, writer: Writer, ask: Ask, clock: Clock) -> None:
        self._writer = writer
        self._ask = ask
        self._clock = clock

    async def add(self, silence: NewSilence) -> str:
        """Write it, and return its id. What waits meets it at its next claim; what was suppressed is not revived."""
        return await self._writer.run(silencing.add_silences, silence)

    async def expire(self, silence_id: str, who: str, how: str = "") -> Expiry:
        """End it now, for ``who``, who came in ``how``."""
        return await self._writer.run(silencing.expire_silences, (silence_id, who, how))

    async def every(self, ended: int = MOST_ENDED, before: str | None = None) -> list[Answer]:
        """Return those that stand, and after them those that have ended: see `list_silences`."""
        now = self._clock.wall()
        return await self._ask(lambda connection: list_silences(connection, now, ended, before))

    async def preview(self, matchers: Sequence[Matcher]) -> list[Answer]:
        """Return which alerts in flight, and which of the newest, a silence with these matchers would meet."""
        return await self._ask(lambda connection: preview(connection, matchers))


def list_silences(
    connection: Connection, now: datetime, ended: int = MOST_ENDED, before: str | None = None
) -> list[Answer]:
    """Return the silences that hold or will, the newest first, and then ``ended`` of those that did, the last ended first.

    ``before`` is the id of one that has ended: only those that ended before it are returned. ``now`` is by the wall's
    clock.
    """
    passed, standing = _BY_END.where(silences.c.ends_at <= now).limit(ended), []
    if before is None:
        query = _BY_END.where(silences.c.ends_at > now).limit(_MOST_STANDING)
        standing = sorted(connection.execute(query), key=lambda row: row.id, reverse=True)
    else:
        until = connection.execute(select(silences.c.ends_at).where(silences.c.id == before)).scalar_one_or_none()
        if until is None:  # retention has forgotten it, and with it all that ended before
            return []
        earlier = or_(silences.c.ends_at < until, silences.c.id < before)
        passed = passed.where(silences.c.ends_at <= until, earlier)
    return [silence_answer(row, now) for row in (*standing, *connection.execute(passed))]


def silence_answer(row: AnyRow, now: datetime) -> Answer:
    """Return a silence as people see it; ``state`` is ``pending``, ``active`` or ``expired``."""
    return {
        "id": row.id,
        "state": "expired" if row.ends_at <= now else "pending" if row.starts_at > now else "active",
        "matchers": row.matchers,
        "starts_at": row.starts_at,
        "ends_at": row.ends_at,
        "author": row.author,
        "comment": row.comment,
        "created_at": row.created_at,
        "expired_by": row.expired_by,
    }


def preview(connection: Connection, matchers: Sequence[Matcher]) -> list[Answer]:
    """Return the alerts in flight, and the newest others, that all of these matchers match: the newest first."""
    columns = (*HEAD_COLUMNS, alerts.c.state, alert_contents.c.message, alert_contents.c.payload)
    newest = select(*columns).select_from(_CONTENTS).order_by(alerts.c.id.desc()).limit(_TRIED)
    rows = {row.id: row for query in (newest.where(UNSETTLED), newest) for row in connection.execute(query)}
    return [
        {
            "id": row.id,
            "account": row.account,
            "severity": Severity(row.severity).text,
            "title": row.title,
            "state": row.state,
            "received_at": row.received_at,
        }
        for row in sorted(rows.values(), key=lambda row: row.id, reverse=True)
        if all_match(matchers, _alert(row))
    ]


def _alert(row: AnyRow) -> Alert:
    """Return the alert as matchers see it: of one that retention has stripped only what is left."""
    return Alert(
        id=row.id,
        account=row.account,
        api=row.api,
        upstream_id=row.upstream_id,
        type=row.type,
        severity=Severity(row.severity),
        title=row.title,
        message=row.message or "",
        url=row.url,
        created_at=row.created_at,
        received_at=row.received_at,
        labels=row.labels,
        payload=None if row.payload is None else orjson.loads(row.payload),
    )
