"""Moments as people write them: ISO 8601, of the years in which time can be reckoned with.

Python knows the years 1 to 9999. At either end of them no moment can be told in another zone, and nothing can be added to
it or taken from it; and the ids of alerts tell no time before 1970.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from bellwire.config.duration import parse_duration

if TYPE_CHECKING:
    from datetime import tzinfo

_FIRST, _END = datetime(1970, 1, 1, tzinfo=UTC), datetime(9000, 1, 1, tzinfo=UTC)
_FARTHEST = timedelta(days=36_525)


def reckonable(when: datetime, zone: tzinfo = UTC) -> datetime:
    """Return the moment in UTC; without an offset it is one of ``zone``. ValueError says which years there are."""
    try:
        moment = (when if when.tzinfo else when.replace(tzinfo=zone)).astimezone(UTC)
    except OverflowError:
        moment = None
    if moment is None or not _FIRST <= moment < _END:
        msg = f"lies too far away: write a time of the years {_FIRST.year} to {_END.year - 1}"
        raise ValueError(msg)
    return moment


def parse_moment(text: str, zone: tzinfo = UTC) -> datetime:
    """Return the moment that ``text`` spells, in UTC; ValueError says what one looks like."""
    try:
        when = datetime.fromisoformat(text.strip())
    except ValueError:
        msg = "is no time: write it as 2026-11-23T10:00, or with its offset: 2026-11-23T10:00+01:00"
        raise ValueError(msg) from None
    return reckonable(when, zone)


def parse_reach(text: str) -> timedelta:
    """Return how far back ``text`` looks, a duration of at most a hundred years; ValueError says what is wrong."""
    reach = parse_duration(text)
    if reach > _FARTHEST:
        msg = "is longer than a hundred years: write less, such as 7d"
        raise ValueError(msg)
    return reach
