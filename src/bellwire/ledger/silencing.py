"""Silences: what people do not want to hear of for a while. Their times are the wall's.

They are few and asked for with every alert, so those that have not ended are kept compiled in the writer's memory and read
again after each change.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog
from sqlalchemy import select

from bellwire.errors import MatcherError
from bellwire.ledger.acting import note_action
from bellwire.ledger.tables import silences
from bellwire.records import Expiry
from bellwire.routing.matcher_parser import parse_matchers
from bellwire.routing.matchers import Matcher, all_match

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from bellwire.ledger.transaction import Transaction
    from bellwire.model import Alert
    from bellwire.records import NewSilence

log = structlog.get_logger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class Silence:
    """A silence as alerts meet it."""

    id: str
    matchers: tuple[Matcher, ...]
    starts_at: datetime
    ends_at: datetime


def active_silences(tx: Transaction) -> list[Silence]:
    """Return the silences that hold now, the oldest first."""
    if tx.facts.silences is None:
        tx.facts.silences = _read(tx)
    return [each for each in tx.facts.silences if each.starts_at <= tx.wall < each.ends_at]


def silenced_by(active: Sequence[Silence], alert: Alert) -> str | None:
    """Return the id of the first of these that matches, None if none does. A matcher that raises matches nothing."""
    for silence in active:
        try:
            if all_match(silence.matchers, alert):
                return silence.id
        except Exception:
            log.exception("silence_failed", silence=silence.id)
    return None


def add_silences(tx: Transaction, new: Sequence[NewSilence]) -> list[str]:
    """Write these silences; return their ids. What waits meets them at its next claim."""
    ids = [tx.new_id() for _ in new]
    for silence_id, silence in zip(ids, new, strict=True):
        row = {
            "id": silence_id,
            "matchers": list(silence.matchers),
            "starts_at": silence.starts_at,
            "ends_at": silence.ends_at,
            "author": silence.author,
            "comment": silence.comment,
            "created_at": tx.wall,
        }
        tx.connection.execute(silences.insert(), row)
        detail = {"silence": silence_id, "matchers": list(silence.matchers), "comment": silence.comment}
        note_action(tx, silence.author, "silence_added", detail, silence.how)
    tx.facts.silences = None
    return ids


def expire_silences(tx: Transaction, questions: Sequence[tuple[str, str, str]]) -> list[Expiry]:
    """End each silence (its id, who ends it, and how they came in) now; say what there was to end."""
    return [_expire(tx, silence_id, who, how) for silence_id, who, how in questions]


def _expire(tx: Transaction, silence_id: str, who: str, how: str) -> Expiry:
    ends_at = tx.connection.execute(select(silences.c.ends_at).where(silences.c.id == silence_id)).scalar_one_or_none()
    if ends_at is None:
        return Expiry.UNKNOWN
    if ends_at <= tx.wall:
        return Expiry.ENDED_BEFORE
    ended = {"ends_at": tx.wall, "expired_by": who}
    tx.connection.execute(silences.update().where(silences.c.id == silence_id).values(ended))
    note_action(tx, who, "silence_expired", {"silence": silence_id}, how)
    tx.facts.silences = None
    return Expiry.EXPIRED


def _read(tx: Transaction) -> tuple[Silence, ...]:
    query = select(silences).where(silences.c.ends_at > tx.wall).order_by(silences.c.id)
    found = []
    for row in tx.connection.execute(query):
        try:
            matchers = tuple(one for text in row.matchers for one in parse_matchers(text))
        except MatcherError as error:  # of a later version, perhaps
            log.error("silence_unreadable", silence=row.id, error=str(error))
            continue
        found.append(Silence(id=row.id, matchers=matchers, starts_at=row.starts_at, ends_at=row.ends_at))
    return tuple(found)
