"""The texts of which time intervals are written, as Alertmanager reads them: ``09:00``, ``monday:friday``, ``-3:-1``."""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING

from bellwire.errors import IntervalError
from bellwire.routing.intervals import DAY_END

if TYPE_CHECKING:
    from collections.abc import Callable

    from bellwire.routing.intervals import Range

WEEKDAYS = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")
MONTHS = (
    *("january", "february", "march", "april", "may", "june"),
    *("july", "august", "september", "october", "november", "december"),
)

_TIME = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])", re.ASCII)
_NUMBER = re.compile(r"[+-]?[0-9]{1,9}", re.ASCII)
_MIDNIGHT = "24:00"
_LAST_DAY = 31
_SHORTEST_MONTH = 28


def read_time(text: str) -> int:
    """Return the minute of the day that ``HH:MM`` names, `DAY_END` for ``24:00``. Raises `IntervalError`."""
    if text == _MIDNIGHT:
        return DAY_END
    found = _TIME.fullmatch(text)
    if found is None:
        msg = f"{text!r} is no time: write HH:MM from 00:00 to 24:00, such as 09:00"
        raise IntervalError(msg)
    return int(found[1]) * 60 + int(found[2])


def read_times(start: str, end: str) -> Range:
    """Return from which minute of the day to before which. Raises `IntervalError`."""
    begin, until = read_time(start), read_time(end)
    if begin >= until:
        if until == 0:
            hint = f"write {_MIDNIGHT} for the end of the day"
        else:
            hint = f"for a night write two entries, {start} to {_MIDNIGHT} and 00:00 to {end}"
        msg = f"ends at {end}, not after its start at {start}: {hint}"
        raise IntervalError(msg)
    return begin, until


def read_weekdays(text: str) -> Range:
    """Return the days that a name, or two with a colon between, stand for: Sunday is 0. Raises `IntervalError`."""
    begin, end = _read(text, _weekday)
    if begin > end:
        first, last = WEEKDAYS[begin], WEEKDAYS[end]
        split = f"{_span(WEEKDAYS, begin, 6)} and {_span(WEEKDAYS, 0, end)}"
        msg = f"weeks begin on sunday here, so {first} comes after {last}: write two entries, {split}"
        raise IntervalError(msg)
    return begin, end


def read_days_of_month(text: str) -> Range:
    """Return the days that a number, or two with a colon between, stand for; negative ones count from the end."""
    begin, end = _read(text, _day_of_month)
    if begin < 0 < end:
        msg = f"a range from the month's end must end there too: write {begin}:-1, or begin with a day from 1 to 31"
        raise IntervalError(msg)
    earliest, latest = (_SHORTEST_MONTH + day if day < 0 else day for day in (begin, end))
    if earliest > latest:
        msg = f"the range ends on day {end}, which is always before day {begin}: write the earlier one first"
        raise IntervalError(msg)
    return begin, end


def read_months(text: str) -> Range:
    """Return the months that a name or number, or two with a colon between, stand for. Raises `IntervalError`."""
    begin, end = _read(text, _month)
    if begin > end:
        split = f"{_span(MONTHS, begin - 1, 11)} and {_span(MONTHS, 0, end - 1)}"
        msg = f"the range ends before it begins: for a turn of the year write two entries, {split}"
        raise IntervalError(msg)
    return begin, end


def read_years(text: str) -> Range:
    """Return the years that a number, or two with a colon between, stand for. Raises `IntervalError`."""
    begin, end = _read(text, _year)
    if begin > end:
        msg = f"the range ends before it begins: write {end}:{begin}"
        raise IntervalError(msg)
    return begin, end


def _read(text: str, member: Callable[[str], int]) -> Range:
    first, colon, last = text.lower().partition(":")
    begin = member(first)
    return begin, member(last) if colon else begin


def _span(names: tuple[str, ...], begin: int, end: int) -> str:
    return names[begin] if begin == end else f"{names[begin]}:{names[end]}"


def _weekday(text: str) -> int:
    if text not in WEEKDAYS:
        msg = f"{text!r} is no weekday: {_nearest(text, WEEKDAYS)}"
        raise IntervalError(msg)
    return WEEKDAYS.index(text)


def _day_of_month(text: str) -> int:
    day = int(text) if _NUMBER.fullmatch(text) else 0
    if day == 0 or abs(day) > _LAST_DAY:
        msg = f"{text!r} is no day of a month: write 1 to 31, or -1 (the last one) to -31"
        raise IntervalError(msg)
    return day


def _month(text: str) -> int:
    if text in MONTHS:
        return MONTHS.index(text) + 1
    month = int(text) if _NUMBER.fullmatch(text) else 0
    if not 1 <= month <= len(MONTHS):
        msg = f"{text!r} is no month: {_nearest(text, MONTHS)}, or a number from 1 to 12"
        raise IntervalError(msg)
    return month


def _year(text: str) -> int:
    if not _NUMBER.fullmatch(text):
        msg = f"{text!r} is no year: write a number, such as 2026"
        raise IntervalError(msg)
    return int(text)


def _nearest(text: str, names: tuple[str, ...]) -> str:
    near = difflib.get_close_matches(text, names, 1, 0.5) or [name for name in names if text and name.startswith(text)]
    return f"write {near[0]}" if near else f"write {names[0]} to {names[-1]}"
