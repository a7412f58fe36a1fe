"""Wall time against UTC: on which instants a day of a time zone falls, whatever daylight saving does to it."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from datetime import tzinfo

_REACH = timedelta(hours=16)  # no zone was ever further from UTC
_DAY = timedelta(days=1)
_SECOND = timedelta(seconds=1)


class Stretch(NamedTuple):
    """Instants from ``start`` to before ``end``, in UTC, over which wall time is ahead of UTC by ``offset``."""

    start: datetime
    end: datetime
    offset: timedelta


def stretches(zone: tzinfo, day: date) -> tuple[Stretch, ...]:
    """Return instants among which are all of the zone's ``day``: one stretch, or two around a change.

    No zone has had two changes within as few days as these.
    """
    midnight = datetime.combine(day, time(), UTC)
    start, end = midnight - _REACH, midnight + _DAY + _REACH
    before, after = offset_at(zone, start), offset_at(zone, end)
    if before == after:
        return (Stretch(start, end, before),)
    change = find_change(zone, start, end)
    return Stretch(start, change, before), Stretch(change, end, after)


def find_change(zone: tzinfo, before: datetime, after: datetime) -> datetime:
    """Return the first instant (to the second) that has the offset of ``after``; that of ``before`` is another."""
    new = offset_at(zone, after)
    low, high = 0, (after - before) // _SECOND
    while high - low > 1:
        middle = (low + high) // 2
        if offset_at(zone, before + middle * _SECOND) == new:
            high = middle
        else:
            low = middle
    return before + high * _SECOND


def offset_at(zone: tzinfo, moment: datetime) -> timedelta:
    """Return how far the zone's wall time is ahead of UTC at ``moment``."""
    return moment.astimezone(zone).utcoffset() or timedelta()
