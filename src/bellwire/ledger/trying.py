"""What the ledger would say to an alert that never came: which silence, whose shadow, of which alert it is a repeat."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from bellwire.errors import MatcherError
from bellwire.ledger.reasons import suppressor
from bellwire.ledger.tables import alerts, channels, obligations, repeats, shadows, silences
from bellwire.model import ObligationState, Suppression
from bellwire.routing.matcher_parser import parse_matchers
from bellwire.routing.matchers import all_match

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy import Connection

    from bellwire.model import Alert, Destination

Answer = dict[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Overcast:
    """What stands in an alert's way. ``inhibited`` and ``silenced`` are as `bellwire.ledger.reasons.suppressor` has them.

    ``repeats`` holds, by receiver, the alert that this one would be a repeat of, with its title.
    """

    inhibited: Answer | None = None
    silenced: Answer | None = None
    repeats: dict[str, Answer] | None = None


def overcast(
    connection: Connection, alert: Alert, under: Sequence[str], destinations: Sequence[Destination], at: datetime
) -> Overcast:
    """Return what would stand in its way at ``at``, ``under`` being the keys of the shadows that it would fall under."""
    shadow = select(shadows.c.alert_id).where(shadows.c.key.in_(under), shadows.c.until > at).limit(1)
    return Overcast(
        inhibited=suppressor(connection, Suppression.INHIBITED, connection.execute(shadow).scalar_one_or_none()),
        silenced=suppressor(connection, Suppression.SILENCED, _silence(connection, alert, at)),
        repeats={
            each.receiver: earlier
            for each in destinations
            if each.repetition and (earlier := _earlier(connection, each.receiver, each.repetition.key, at))
        },
    )


def reasons(connection: Connection) -> set[str]:
    """Return every reason why anything was suppressed, in the whole of a (small) ledger."""
    whole = select(alerts.c.suppression).where(alerts.c.suppression.is_not(None)).distinct()
    parts = select(obligations.c.reason).where(obligations.c.state == ObligationState.SUPPRESSED).distinct()
    found = [*connection.execute(whole).scalars(), *connection.execute(parts).scalars()]
    return {str(each) for each in found if each}


def _silence(connection: Connection, alert: Alert, at: datetime) -> str | None:
    query = select(silences).where(silences.c.starts_at <= at, silences.c.ends_at > at).order_by(silences.c.id)
    for row in connection.execute(query):
        with suppress(MatcherError):  # of a later version, perhaps: it silences nothing here either
            if all_match([one for text in row.matchers for one in parse_matchers(text)], alert):
                found: str = row.id
                return found
    return None


def _earlier(connection: Connection, receiver: str, key: str, at: datetime) -> Answer | None:
    query = (
        select(repeats.c.alert_id, alerts.c.title)
        .join(channels, channels.c.id == repeats.c.channel_id)
        .outerjoin(alerts, alerts.c.id == repeats.c.alert_id)
        .where(channels.c.receiver == receiver, repeats.c.key == key)
        .where(repeats.c.until.is_(None) | (repeats.c.until > at))
        .limit(1)
    )
    row = connection.execute(query).one_or_none()
    return None if row is None else {"kind": "alert", "id": row.alert_id, "title": row.title}
