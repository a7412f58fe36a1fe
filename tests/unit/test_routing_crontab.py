"""Crontab expressions mean what cron takes them for, and a change of the clocks neither loses nor repeats a time."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, NamedTuple
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bellwire.errors import CrontabError
from bellwire.routing.crontab import Crontab, parse_crontab

if TYPE_CHECKING:
    from collections.abc import Iterator

MINUTE = timedelta(minutes=1)


def following(text: str, moment: str, zone: str = "UTC", *, count: int = 1) -> list[str]:
    """Return the next times, as the wall shows them with its offset."""
    wall = ZoneInfo(zone)
    at = datetime.fromisoformat(moment)
    found = []
    for _ in range(count):
        at = parse_crontab(text).next_after(at, wall)
        assert at.tzinfo is UTC
        found.append(at.astimezone(wall).isoformat(timespec="minutes"))
    return found


@pytest.mark.parametrize(
    ("text", "moment", "expected"),
    [
        ("* * * * *", "2026-11-22T12:00+00:00", "2026-11-22T12:01+00:00"),
        ("* * * * *", "2026-11-22T12:00:59.999+00:00", "2026-11-22T12:01+00:00"),
        ("0 8 * * mon-fri", "2026-11-22T12:00+00:00", "2026-11-23T08:00+00:00"),
        ("0 8 * * mon-fri", "2026-11-27T08:00+00:00", "2026-11-30T08:00+00:00"),
        ("0 8 * * 0", "2026-11-23T12:00+00:00", "2026-11-29T08:00+00:00"),
        ("0 8 * * 7", "2026-11-23T12:00+00:00", "2026-11-29T08:00+00:00"),
        ("0 8 * * 6-7", "2026-11-22T12:00+00:00", "2026-11-28T08:00+00:00"),
        ("0 8 * * FRI-SUN", "2026-11-28T12:00+00:00", "2026-11-29T08:00+00:00"),
        ("0 8 * * sun", "2026-11-23T12:00+00:00", "2026-11-29T08:00+00:00"),
        ("*/20 9-17/4 * * *", "2026-11-22T09:40+00:00", "2026-11-22T13:00+00:00"),
        ("5,35 * * * *", "2026-11-22T12:05+00:00", "2026-11-22T12:35+00:00"),
        ("0 0 1 jan,Jul *", "2026-11-22T12:00+00:00", "2027-01-01T00:00+00:00"),
        ("0 0 29 2 *", "2026-11-22T12:00+00:00", "2028-02-29T00:00+00:00"),
        ("0 0 29 2 *", "2096-03-01T12:00+00:00", "2104-02-29T00:00+00:00"),
        ("0 0 31 * *", "2026-11-22T12:00+00:00", "2026-12-31T00:00+00:00"),
        # both days restricted: either will do
        ("0 8 13 * fri", "2026-11-22T12:00+00:00", "2026-11-27T08:00+00:00"),
        ("0 8 13 * fri", "2026-12-11T12:00+00:00", "2026-12-13T08:00+00:00"),
        ("0 8 30 2 mon", "2026-11-22T12:00+00:00", "2027-02-01T08:00+00:00"),
        # a day that begins with * restricts nothing of the other: both must hold
        ("0 8 */2 * mon", "2026-11-22T12:00+00:00", "2026-11-23T08:00+00:00"),
        ("0 8 */2 * mon", "2026-11-23T12:00+00:00", "2026-12-07T08:00+00:00"),
        (" 0\t8  * * * ", "2026-11-22T12:00+00:00", "2026-11-23T08:00+00:00"),
    ],
)
def test_the_next_time_is_the_first_that_the_fields_allow(text: str, moment: str, expected: str) -> None:
    assert following(text, moment) == [expected]


@pytest.mark.parametrize(
    ("zone", "text", "moment", "expected"),
    [
        ("Europe/Paris", "0 8 * * *", "2026-03-28T12:00+01:00", ["2026-03-29T08:00+02:00", "2026-03-30T08:00+02:00"]),
        # skipped: at the next minute that exists, and once
        ("Europe/Paris", "30 2 * * *", "2026-03-28T12:00+01:00", ["2026-03-29T03:00+02:00", "2026-03-30T02:30+02:00"]),
        (
            "Europe/Paris",
            "*/20 2 * * *",
            "2026-03-28T12:00+01:00",
            ["2026-03-29T03:00+02:00", "2026-03-30T02:00+02:00"],
        ),
        ("Europe/Paris", "0 2,3 * * *", "2026-03-28T12:00+01:00", ["2026-03-29T03:00+02:00", "2026-03-30T02:00+02:00"]),
        # repeated: the first time
        ("Europe/Paris", "30 2 * * *", "2026-10-24T12:00+02:00", ["2026-10-25T02:30+02:00", "2026-10-26T02:30+01:00"]),
        ("Europe/Paris", "30 2 * * *", "2026-10-25T02:10+01:00", ["2026-10-26T02:30+01:00"]),
        ("Europe/Paris", "45 * * * *", "2026-10-25T02:40+02:00", ["2026-10-25T02:45+02:00", "2026-10-25T03:45+01:00"]),
        ("America/New_York", "0 2 * * *", "2027-03-14T01:30-05:00", ["2027-03-14T03:00-04:00"]),
        ("Australia/Lord_Howe", "15 2 * * *", "2026-10-03T12:00+10:30", ["2026-10-04T02:30+11:00"]),
        (
            "Australia/Lord_Howe",
            "45 1 * * *",
            "2026-04-05T01:31+11:00",
            ["2026-04-05T01:45+11:00", "2026-04-06T01:45+10:30"],
        ),
        (
            "America/Sao_Paulo",
            "0 0 * * *",
            "2018-11-03T12:00-03:00",
            ["2018-11-04T01:00-02:00", "2018-11-05T00:00-02:00"],
        ),
        ("Pacific/Apia", "0 8 30 12 *", "2011-12-29T12:00-10:00", ["2011-12-31T00:00+14:00", "2012-12-30T08:00+14:00"]),
    ],
)
def test_a_time_that_a_change_skips_comes_at_once_after_it_and_a_repeated_one_comes_once(
    zone: str, text: str, moment: str, expected: list[str]
) -> None:
    assert following(text, moment, zone, count=len(expected)) == expected


# --- against a plain oracle ----------------------------------------------------------------------------------------

NAMES = {3: ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]}
NAMES[4] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]
LIMITS = [(0, 59), (0, 23), (1, 31), (1, 12), (0, 7)]


class Field(NamedTuple):
    """A field as written, and all values that it stands for."""

    text: str
    values: frozenset[int]


def fields(at: int) -> st.SearchStrategy[Field]:
    low, high = LIMITS[at]

    def spelled(value: int) -> list[str]:
        names = NAMES.get(at, [])
        return [str(value), f"{value:02}", *(names[value - low : value - low + 1] if value else names[:1])]

    @st.composite
    def piece(draw: st.DrawFn) -> Field:
        kind = draw(st.sampled_from(["all", "one", "one", "range", "step", "range/step"]))
        first, last = sorted((draw(st.integers(low, high)), draw(st.integers(low, high))))
        step = draw(st.integers(1, high))
        if kind == "all":
            return Field("*", frozenset(range(low, high + 1)))
        if kind == "one":
            return Field(draw(st.sampled_from(spelled(first))), frozenset({first}))
        if kind == "step":
            return Field(f"*/{step}", frozenset(range(low, high + (at != 4), step)))
        if kind == "range":
            return Field(f"{first}-{last}", frozenset(range(first, last + 1)))
        return Field(f"{first}-{last}/{step}", frozenset(range(first, last + 1, step)))

    listed = st.lists(piece(), min_size=1, max_size=3)
    return listed.map(
        lambda some: Field(",".join(one.text for one in some), frozenset().union(*(one.values for one in some)))
    )


EVERY = Field("*", frozenset(range(60)))
EXPRESSIONS = st.tuples(*(fields(at) for at in range(5))) | st.tuples(
    fields(0), fields(1), st.just(EVERY), st.just(EVERY), st.just(EVERY) | fields(4)
)


def matches(expression: tuple[Field, ...], wall: datetime) -> bool:
    minute, hour, day, month, weekday = expression
    of_month, of_week = wall.day in day.values, bool({wall.isoweekday(), wall.isoweekday() % 7} & weekday.values)
    starred = day.text.startswith("*") or weekday.text.startswith("*")
    right_day = (of_month and of_week) if starred else (of_month or of_week)
    return wall.minute in minute.values and wall.hour in hour.values and wall.month in month.values and right_day


def walk(expression: tuple[Field, ...], zone: ZoneInfo, first: datetime, minutes: int) -> Iterator[datetime]:
    """Yield when the expression comes, minute by minute, by looking at what the wall shows."""
    shown: set[datetime] = {(first - at * MINUTE).astimezone(zone).replace(tzinfo=None) for at in range(1, 181)}
    before = (first - MINUTE).astimezone(zone).replace(tzinfo=None)
    for at in range(minutes):
        moment = first + at * MINUTE
        wall = moment.astimezone(zone).replace(tzinfo=None)
        never_shown = [before + gone * MINUTE for gone in range(1, (wall - before) // MINUTE)]
        if any(matches(expression, each) for each in [*never_shown, *([] if wall in shown else [wall])]):
            yield moment
        shown.add(wall)
        before = wall


PLACES = st.sampled_from(
    [
        ("Europe/Paris", date(2026, 3, 29)),
        ("Europe/Paris", date(2027, 10, 31)),
        ("America/New_York", date(2027, 3, 14)),
        ("America/New_York", date(2026, 11, 1)),
        ("Australia/Lord_Howe", date(2026, 4, 5)),
        ("Australia/Lord_Howe", date(2026, 10, 4)),
        ("America/St_Johns", date(2010, 11, 7)),
        ("America/Sao_Paulo", date(2018, 11, 4)),
        ("America/Sao_Paulo", date(2018, 2, 18)),
        ("Pacific/Apia", date(2011, 12, 30)),
    ]
) | st.tuples(st.sampled_from(["Europe/Paris", "Asia/Kolkata", "UTC"]), st.dates(date(2020, 1, 1), date(2037, 1, 1)))


@settings(max_examples=60, deadline=None)
@given(place=PLACES, expression=EXPRESSIONS)
def test_the_times_are_those_of_a_walk_minute_by_minute(place: tuple[str, date], expression: tuple[Field, ...]) -> None:
    zone, first = ZoneInfo(place[0]), datetime.combine(place[1], time(), UTC) - timedelta(hours=24)
    last = first + timedelta(hours=72)
    walked = list(walk(expression, zone, first, 72 * 60))
    crontab = parse_crontab_or_none(" ".join(field.text for field in expression))
    if crontab is None:
        assert not walked
        return

    found: list[datetime] = []
    at = crontab.next_after(first - MINUTE, zone)
    while at < last and len(found) < 100:
        found.append(at)
        at = crontab.next_after(at, zone)

    assert found == walked[:100]


def parse_crontab_or_none(text: str) -> Crontab | None:
    try:
        return parse_crontab(text)
    except CrontabError as error:
        if "never comes" in str(error):
            return None
        raise


@given(expression=EXPRESSIONS, moment=st.datetimes(datetime(2000, 1, 1), datetime(2400, 1, 1)))  # noqa: DTZ001 -- UTC below
def test_whatever_is_read_comes_again_always(expression: tuple[Field, ...], moment: datetime) -> None:
    crontab = parse_crontab_or_none(" ".join(field.text for field in expression))
    if crontab is not None:
        assert crontab.next_after(moment.replace(tzinfo=UTC), UTC) > moment.replace(tzinfo=UTC)


# --- what is refused -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "offset", "message"),
    [
        ("", 0, "it has no fields: write five fields"),
        ("x", 0, "it has 1 field: write five fields"),
        ("@daily", 0, "it has 1 field"),
        ("0 0 8 * * mon", 10, "it has 6 fields"),
        ("60 8 * * *", 0, "minute: '60' is not allowed; write *, or 0 to 59, as a value, range or list"),
        ("0 24 * * *", 2, "hour: '24' is not allowed; write *, or 0 to 23"),
        ("0 8 0 * *", 4, "day of month: '0' is not allowed; write *, or 1 to 31"),
        ("0 8 * 13 *", 6, "month: '13' is not allowed; write *, or 1 to 12, or jan to dec"),
        ("0 8 * mon *", 6, "month: 'mon' is not allowed"),
        ("0 8 * * mon,8", 12, "day of week: '8' is not allowed; write *, or 0 to 7, or sun to sat"),
        ("0 8 * * monday", 8, "day of week: 'monday' is not allowed"),
        ("0 8 * * fri-mon", 8, "day of week: the range fri-mon ends before it begins"),
        ("30-10 8 * * *", 0, "minute: the range 30-10 ends before it begins"),
        ("1,,2 8 * * *", 2, "minute: a value is missing"),
        ("5- 8 * * *", 2, "minute: a value is missing"),
        ("-5 8 * * *", 0, "minute: a value is missing"),
        ("5/15 8 * * *", 0, "minute: a step needs a range before it; write */15 or 5-59/15"),
        ("*/0 8 * * *", 2, "minute: the step '0' is not allowed; write 1 to 59"),
        ("*/x 8 * * *", 2, "minute: the step 'x' is not allowed"),
        ("* * L * *", 4, "day of month: 'L' is not allowed"),
        ("* * * * 5#2", 8, "day of week: '5#2' is not allowed"),
        ("٣ * * * *", 0, "minute: '٣' is not allowed"),
        ("0 8 30 2 *", 4, "names a date that never comes"),
        ("0 8 31 4,6,9,11 *", 4, "names a date that never comes"),
    ],
)
def test_a_mistake_is_told_with_its_field_its_place_and_what_is_allowed(text: str, offset: int, message: str) -> None:
    with pytest.raises(CrontabError, match=re.escape(message)) as raised:
        parse_crontab(text)
    assert raised.value.offset == offset
