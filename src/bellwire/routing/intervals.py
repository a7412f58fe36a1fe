"""Time intervals: sets of moments on a zone's wall, as in Alertmanager, and which of them mute a route.

A moment is in an interval if its wall time meets every condition that the interval has. What a daylight-saving change
skips never comes, what it repeats comes twice: an interval from 02:00 to 03:00 has no moment in one night of the year,
and two hours in another.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING, TypeAlias

from bellwire.routing.zones import stretches

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date, tzinfo

    from bellwire.model import Muting

Range: TypeAlias = tuple[int, int]
"""From and to, both included; of times of day, in minutes, the end is not."""

DAY_END = 24 * 60
HORIZON = timedelta(days=5 * 366)
"""How far ahead anyone looks for a window to open."""

_DAY = timedelta(days=1)


@dataclass(frozen=True, kw_only=True, slots=True)
class TimeInterval:
    """A set of moments; a condition without ranges holds always.

    ``times`` are minutes of the day; ``weekdays`` count from Sunday, 0; negative ``days_of_month`` count from the
    month's end, -1 being its last day; ``months`` count from 1.
    """

    zone: tzinfo
    times: tuple[Range, ...] = ()
    weekdays: tuple[Range, ...] = ()
    days_of_month: tuple[Range, ...] = ()
    months: tuple[Range, ...] = ()
    years: tuple[Range, ...] = ()
    _inside: tuple[Range, ...] = field(init=False, repr=False, compare=False)  # times of a day that is in it, in order
    _outside: tuple[Range, ...] = field(init=False, repr=False, compare=False)  # the other times of such a day

    def __post_init__(self) -> None:
        inside = _union(self.times) if self.times else ((0, DAY_END),)
        object.__setattr__(self, "_inside", inside)
        object.__setattr__(self, "_outside", _rest(inside))

    def contains(self, moment: datetime) -> bool:
        """Return whether the moment is in the interval."""
        wall = moment.astimezone(self.zone)
        return _within(self._inside, wall.hour * 60 + wall.minute, last=1) and self._has(wall)

    def next_change(self, moment: datetime, until: datetime) -> datetime | None:
        """Return when the interval begins or ends next after ``moment``; None if not by the day of ``until``."""
        inside = not self.contains(moment)
        day, last = moment.astimezone(self.zone).date() - _DAY, until.astimezone(self.zone).date()
        found: datetime | None = None
        while day <= last:
            first = self._first(day, moment, inside=inside)
            if found is not None:
                # where a change takes midnight back, the day after begins before its eve has ended
                return found if first is None else min(found, first)
            found = first
            day += _DAY
        return found

    def _first(self, day: date, moment: datetime, *, inside: bool) -> datetime | None:
        """Return the first instant of ``day``, at or after ``moment``, that is in the interval, or is not."""
        ranges = self._ranges(day, inside=inside)
        if not ranges:
            return None
        midnight = datetime.combine(day, time(), UTC)
        starts = []
        for stretch in stretches(self.zone, day):
            for begin, end in ranges:
                start = max(midnight + timedelta(minutes=begin) - stretch.offset, stretch.start, moment)
                if start < min(midnight + timedelta(minutes=end) - stretch.offset, stretch.end):
                    starts.append(start)
        return min(starts, default=None)

    def _ranges(self, day: date, *, inside: bool) -> tuple[Range, ...]:
        if self._has(day):
            return self._inside if inside else self._outside
        return () if inside else ((0, DAY_END),)

    def _has(self, day: date) -> bool:
        return (
            (not self.weekdays or _within(self.weekdays, day.isoweekday() % 7))
            and (not self.months or _within(self.months, day.month))
            and (not self.years or _within(self.years, day.year))
            and (not self.days_of_month or self._has_day_of_month(day))
        )

    def _has_day_of_month(self, day: date) -> bool:
        length = days_in_month(day.year, day.month)
        return any(
            _from_start(begin, length) <= day.day <= _from_start(end, length) for begin, end in self.days_of_month
        )


def days_in_month(year: int, month: int) -> int:
    """Return 28, 29, 30 or 31."""
    if month == 2:  # noqa: PLR2004 -- February
        return 29 if year % 4 == 0 and (year % 100 != 0 or year % 400 == 0) else 28
    return 30 if month in {4, 6, 9, 11} else 31


def _from_start(day: int, length: int) -> int:
    return length + day + 1 if day < 0 else day


def _within(ranges: Sequence[Range], value: int, *, last: int = 0) -> bool:
    return any(begin <= value <= end - last for begin, end in ranges)


def _union(ranges: Sequence[Range]) -> tuple[Range, ...]:
    """Return the ranges in order, those that touch as one."""
    union: list[Range] = []
    for begin, end in sorted(ranges):
        if union and begin <= union[-1][1]:
            union[-1] = (union[-1][0], max(end, union[-1][1]))
        else:
            union.append((begin, end))
    return tuple(union)


def _rest(ranges: Sequence[Range]) -> tuple[Range, ...]:
    """Return what of a day is in none of the ranges, which are in order and apart."""
    edges = [0, *(edge for each in ranges for edge in each), DAY_END]
    return tuple((begin, end) for begin, end in zip(edges[::2], edges[1::2], strict=True) if begin < end)


# --- windows of routes ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True)
class Calendar:
    """The time intervals of a configuration, by name. A name that it lacks is as if nobody had written it.

    So it is with names that a delivery froze before the configuration changed.
    """

    intervals: Mapping[str, tuple[TimeInterval, ...]] = field(default_factory=dict)
    # what was found last, and from where: a night's alerts all wait for the same morning
    _found: dict[Muting, tuple[datetime, datetime | None]] = field(
        init=False, repr=False, compare=False, default_factory=dict
    )

    def is_muted(self, muting: Muting | None, moment: datetime) -> bool:
        """Return whether ``muting`` forbids a message at ``moment``."""
        return self.muted_by(muting, moment) is not None

    def muted_by(self, muting: Muting | None, moment: datetime) -> str | None:
        """Return what forbids a message at ``moment``, in words; None if nothing does."""
        if muting is None:
            return None
        for name in muting.mute:
            if any(each.contains(moment) for each in self.intervals.get(name, ())):
                return f"within {name}"
        active = [name for name in muting.active if name in self.intervals]
        if not active or any(each.contains(moment) for each in self._of(active)):
            return None
        return f"outside of {', '.join(active)}"

    def opens_at(self, muting: Muting | None, moment: datetime) -> datetime | None:
        """Return the first instant at or after ``moment``, in UTC, that is not muted; None if none is within `HORIZON`."""
        at = moment.astimezone(UTC)
        if muting is None or not self.is_muted(muting, at):
            return at
        start, opens = self._found.get(muting, (at, at))
        if start <= at < (opens or start + _DAY):
            return opens
        opens = self._search(muting, at)
        self._found[muting] = at, opens
        return opens

    def _search(self, muting: Muting, start: datetime) -> datetime | None:
        at: datetime | None = start
        until = start + HORIZON
        active, mute = self._of(muting.active), self._of(muting.mute)
        while at is not None and at <= until:
            closed = [each for each in mute if each.contains(at)]
            if closed:
                ends = [each.next_change(at, until) for each in closed]
                at = None if None in ends else max(end for end in ends if end is not None)
            elif not active or any(each.contains(at) for each in active):
                return at
            else:
                starts = [each.next_change(at, until) for each in active]
                at = min((start for start in starts if start is not None), default=None)
        return None

    def _of(self, names: Sequence[str]) -> list[TimeInterval]:
        return [each for name in names for each in self.intervals.get(name, ())]
