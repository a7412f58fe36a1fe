"""Crontab expressions: ``MINUTE HOUR DAY-OF-MONTH MONTH DAY-OF-WEEK``, as cron reads them.

Lists, ranges, steps (``*/15``, ``9-17/2``) and the names of months and weekdays; 0 and 7 are Sunday. If both days are
restricted (neither begins with ``*``), either will do. A wall time that a daylight-saving change skips comes at the next
minute that exists; one that is repeated comes once, the first time.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from bellwire.errors import CrontabError
from bellwire.routing.intervals import days_in_month
from bellwire.routing.zones import find_change, offset_at

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import date, tzinfo

_DAY = timedelta(days=1)
_LEAP_YEAR = 2000
_REACH = 9 * 366  # days: 29 February is eight years away at most, around a century that is no leap year


@dataclass(frozen=True, kw_only=True, slots=True)
class Crontab:
    """When something recurs, on the wall; make it with `parse_crontab`. ``days_of_week`` count from Sunday, 0."""

    text: str
    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days_of_month: frozenset[int]
    months: frozenset[int]
    days_of_week: frozenset[int]
    either_day: bool  # a day of the month or of the week will do, else it must be both

    def next_after(self, moment: datetime, zone: tzinfo) -> datetime:
        """Return the first time after ``moment``, in UTC, at which it recurs on the wall of ``zone``."""
        for wall in self._walls(moment.astimezone(zone).replace(tzinfo=None, second=0, microsecond=0)):
            at = _instant(wall, zone)
            if at > moment:
                return at
        msg = f"{self.text!r} never recurs"  # `parse_crontab` makes none of the kind
        raise CrontabError(msg)

    def _walls(self, start: datetime) -> Iterator[datetime]:
        """Yield the times that match, in order, from ``start`` on (without a zone, as it is)."""
        earliest = start.time()
        for ahead in range(_REACH):
            day = start.date() + ahead * _DAY
            if self._has(day):
                for hour in self.hours:
                    for minute in self.minutes:
                        at = time(hour, minute)
                        if at >= earliest:
                            yield datetime.combine(day, at)
            earliest = time()

    def _has(self, day: date) -> bool:
        if day.month not in self.months:
            return False
        of_month, of_week = day.day in self.days_of_month, day.isoweekday() % 7 in self.days_of_week
        return of_month or of_week if self.either_day else of_month and of_week


def _instant(wall: datetime, zone: tzinfo) -> datetime:
    """Return when the wall shows ``wall`` first, or what comes in its place if it never does."""
    at = wall.replace(tzinfo=zone).astimezone(UTC)
    if at.astimezone(zone).replace(tzinfo=None) == wall:
        return at
    earlier = wall.replace(tzinfo=zone, fold=1).astimezone(UTC)  # by the offset after the change it is before it
    return find_change(zone, earlier, at) if offset_at(zone, earlier) != offset_at(zone, at) else at


# --- reading -------------------------------------------------------------------------------------------------------


class _Field(NamedTuple):
    name: str
    low: int
    high: int
    names: Mapping[str, int]


_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_FIELDS = (
    _Field("minute", 0, 59, {}),
    _Field("hour", 0, 23, {}),
    _Field("day of month", 1, 31, {}),
    _Field("month", 1, 12, {name: number for number, name in enumerate(_MONTHS, 1)}),
    _Field("day of week", 0, 7, {name: number for number, name in enumerate(_WEEKDAYS)}),
)
_SUNDAY_AT_THE_END = 7
_NUMBER = re.compile(r"[0-9]{1,3}", re.ASCII)


@lru_cache(maxsize=256)
def parse_crontab(text: str) -> Crontab:
    """Read an expression of five fields. Raises `CrontabError`, which names the field and what it may hold."""
    words = list(re.finditer(r"[^ \t]+", text))
    if len(words) != len(_FIELDS):
        hint = "write five fields, minute hour day-of-month month day-of-week, such as 0 8 * * mon-fri"
        msg = f"is no crontab expression, it has {len(words) or 'no'} field{'s' * (len(words) != 1)}: {hint}"
        raise CrontabError(msg, words[len(_FIELDS)].start() if len(words) > len(_FIELDS) else 0)
    minutes, hours, days, months, weekdays = (
        _read(field, word[0], word.start()) for field, word in zip(_FIELDS, words, strict=True)
    )
    restricted = [not words[at][0].startswith("*") for at in (2, 4)]
    if restricted == [True, False]:
        _check_date(days, months, words[2].start())
    return Crontab(
        text=" ".join(word[0] for word in words),
        minutes=tuple(sorted(minutes)),
        hours=tuple(sorted(hours)),
        days_of_month=days,
        months=months,
        days_of_week=frozenset(day % 7 for day in weekdays),
        either_day=all(restricted),
    )


def _check_date(days: frozenset[int], months: frozenset[int], at: int) -> None:
    if min(days) > max(days_in_month(_LEAP_YEAR, month) for month in months):
        msg = "names a date that never comes: these months have no such day of month"
        raise CrontabError(msg, at)


def _read(field: _Field, text: str, at: int) -> frozenset[int]:
    """Return the values of one field, which stands at the offset ``at``."""
    values: set[int] = set()
    for piece in text.split(","):
        values.update(_read_piece(field, piece, at))
        at += len(piece) + 1
    return frozenset(values)


def _read_piece(field: _Field, piece: str, at: int) -> range:
    span, slash, step = piece.partition("/")
    first, dash, last = span.partition("-")
    if span == "*":
        low, high = field.low, field.high - (field.high == _SUNDAY_AT_THE_END)
    else:
        low = _read_value(field, first, at)
        high = _read_value(field, last, at + len(first) + 1) if dash else low
        if dash and last.lower() == "sun" and low:
            high = _SUNDAY_AT_THE_END
    if low > high:
        msg = f"{field.name}: the range {span} ends before it begins; write it as two, with a comma between"
        raise CrontabError(msg, at)
    if not slash:
        return range(low, high + 1)
    if span != "*" and not dash:
        msg = f"{field.name}: a step needs a range before it; write */{step} or {span}-{field.high}/{step}"
        raise CrontabError(msg, at)
    return range(low, high + 1, _read_step(field, step, at + len(span) + 1))


def _read_value(field: _Field, text: str, at: int) -> int:
    named = field.names.get(text.lower())
    if named is not None:
        return named
    if _NUMBER.fullmatch(text) and field.low <= int(text) <= field.high:
        return int(text)
    names = f", or {next(iter(field.names))} to {list(field.names)[-1]}" if field.names else ""
    what = f"{text!r} is not allowed" if text else "a value is missing"
    msg = f"{field.name}: {what}; write *, or {field.low} to {field.high}{names}, as a value, range or list"
    raise CrontabError(msg, at)


def _read_step(field: _Field, text: str, at: int) -> int:
    if not _NUMBER.fullmatch(text) or not 1 <= int(text) <= field.high:
        msg = f"{field.name}: the step {text!r} is not allowed; write 1 to {field.high}"
        raise CrontabError(msg, at)
    return int(text)
