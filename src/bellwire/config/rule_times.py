"""Time intervals, compiled."""

from __future__ import annotations

import os
import zoneinfo
from datetime import UTC
from typing import TYPE_CHECKING

from bellwire.config.local_zone import local_zone
from bellwire.config.nearest import suggestion
from bellwire.errors import IntervalError
from bellwire.routing.interval_texts import (
    read_days_of_month,
    read_months,
    read_time,
    read_times,
    read_weekdays,
    read_years,
)
from bellwire.routing.intervals import Calendar, TimeInterval

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import tzinfo

    from bellwire.config.rule_faults import FaultList, Loc
    from bellwire.config.schema import Config, TimeIntervalSpec, TimeRange
    from bellwire.routing.intervals import Range

_LOCAL = "Local"  # the machine's own, in Alertmanager's word
_NO_ZONE = "write one such as Europe/Paris, or remove it for that of global"


def find_zone(name: str) -> tzinfo | None:
    """Return the time zone of this name, None if there is none."""
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        return None


def compile_calendar(faults: FaultList, config: Config) -> Calendar:
    """Compile all time intervals, and note all that is wrong in them."""
    # that the process's own zone is none is said elsewhere
    compiler = _IntervalCompiler(faults, find_zone(config.global_.timezone) or UTC)
    intervals: dict[str, tuple[TimeInterval, ...]] = {}
    for at, named in enumerate(config.time_intervals):
        loc = ("time_intervals", at)
        if named.name in intervals:
            faults.add((*loc, "name"), "another time interval has this name: rename one of them")
        if not named.time_intervals:
            faults.add((*loc, "time_intervals"), "is empty: write when it is, such as weekdays: ['monday:friday']")
        entries = enumerate(named.time_intervals)
        compiled = tuple(compiler.interval((*loc, "time_intervals", number), spec) for number, spec in entries)
        intervals.setdefault(named.name, compiled)
    return Calendar(intervals=intervals)


class _IntervalCompiler:
    def __init__(self, faults: FaultList, zone: tzinfo) -> None:
        self._faults = faults
        self._zone = zone

    def interval(self, loc: Loc, spec: TimeIntervalSpec) -> TimeInterval:
        for key in sorted(spec.model_fields_set - {"location"}):
            if not getattr(spec, key):
                self._faults.add((*loc, key), "is empty and holds for no time at all: name some, or remove it")
        return TimeInterval(
            zone=self._location((*loc, "location"), spec.location),
            times=self._times((*loc, "times"), spec.times),
            weekdays=self._ranges((*loc, "weekdays"), spec.weekdays, read_weekdays),
            days_of_month=self._ranges((*loc, "days_of_month"), spec.days_of_month, read_days_of_month),
            months=self._ranges((*loc, "months"), spec.months, read_months),
            years=self._ranges((*loc, "years"), spec.years, read_years),
        )

    def _location(self, loc: Loc, name: str | None) -> tzinfo:
        if name is None:
            return self._zone
        if name == _LOCAL:
            return local_zone(os.environ.get("TZ"))
        zone = find_zone(name)
        if zone is None:
            near = suggestion(name, zoneinfo.available_timezones())
            self._faults.add(loc, f"there is no such time zone: {near if near.endswith('?') else _NO_ZONE}")
        return zone or UTC

    def _ranges(self, loc: Loc, texts: Sequence[str], read: Callable[[str], Range]) -> tuple[Range, ...]:
        ranges = []
        for at, text in enumerate(texts):
            try:
                ranges.append(read(text))
            except IntervalError as fault:
                self._faults.add((*loc, at), str(fault))
        return tuple(ranges)

    def _times(self, loc: Loc, times: Sequence[TimeRange]) -> tuple[Range, ...]:
        ranges = []
        for at, each in enumerate(times):
            wrong = [key for key in ("start_time", "end_time") if self._is_no_time((*loc, at, key), getattr(each, key))]
            if wrong:
                continue
            try:
                ranges.append(read_times(each.start_time, each.end_time))
            except IntervalError as fault:
                self._faults.add((*loc, at, "end_time"), str(fault))
        return tuple(ranges)

    def _is_no_time(self, loc: Loc, text: str) -> bool:
        try:
            read_time(text)
        except IntervalError as fault:
            self._faults.add(loc, str(fault))
            return True
        return False
