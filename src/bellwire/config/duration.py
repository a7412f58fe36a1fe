"""Durations as people write them: ``1h30m``, ``300ms``, ``0s``."""

from __future__ import annotations

import re
from datetime import timedelta

_UNITS = {
    "ms": timedelta(milliseconds=1),
    "s": timedelta(seconds=1),
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
    "w": timedelta(weeks=1),
}
_PART = re.compile(r"(\d+)(ms|s|m|h|d|w)", re.ASCII)
_WHOLE = re.compile(r"(?:\d+(?:ms|s|m|h|d|w))+", re.ASCII)


def parse_duration(value: object) -> timedelta:
    """Return the duration that ``value`` spells; ValueError says what a duration looks like."""
    if isinstance(value, timedelta):
        return value
    if not isinstance(value, str) or not _WHOLE.fullmatch(value):
        msg = f"is no duration: write a number and a unit of {', '.join(_UNITS)}, such as 30s or 1h30m"
        raise ValueError(msg)
    try:
        return sum((int(number) * _UNITS[unit] for number, unit in _PART.findall(value)), timedelta())
    except OverflowError:
        msg = "is longer than any duration can be"
        raise ValueError(msg) from None


def format_duration(value: timedelta) -> str:
    """Return the shortest text that `parse_duration` reads as ``value`` (to the millisecond)."""
    rest = round(value / _UNITS["ms"])
    parts = []
    for unit in ("w", "d", "h", "m", "s", "ms"):
        count, rest = divmod(rest, round(_UNITS[unit] / _UNITS["ms"]))
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"
