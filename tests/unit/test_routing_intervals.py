"""Time intervals are Alertmanager's, and right across every kind of change that zones make."""

from __future__ import annotations

import calendar
import itertools
import struct
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bellwire.config.local_zone import local_zone
from bellwire.config.rules import RuleFaults, compile_rules
from bellwire.config.schema import Config
from bellwire.model import Muting
from bellwire.routing.intervals import HORIZON, Calendar

if TYPE_CHECKING:
    from pathlib import Path

WEEKDAYS = ["sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"]
MONTHS = [name.lower() for name in calendar.month_name if name]
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)  # a Sunday
MINUTE = timedelta(minutes=1)


def a_config(intervals: dict[str, list[dict[str, Any]]], zone: str = "UTC") -> Config:
    named = [{"name": name, "time_intervals": entries} for name, entries in intervals.items()]
    route = {"receiver": "ops"}
    return Config.model_validate(
        {"global": {"timezone": zone}, "receivers": [{"name": "ops"}], "route": route, "time_intervals": named}
    )


def a_calendar(zone: str = "UTC", **intervals: list[dict[str, Any]]) -> Calendar:
    return compile_rules(a_config(intervals, zone)).calendar


def contains(moment: str | datetime, zone: str = "UTC", **keys: Any) -> bool:
    """Tell whether an interval of one entry contains a moment, which has the zone's wall if it has none of its own."""
    if isinstance(moment, str):
        moment = datetime.fromisoformat(moment)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=ZoneInfo(zone))
    return a_calendar(zone, it=[keys]).is_muted(Muting(mute=("it",)), moment)


def times(*ranges: str) -> list[dict[str, str]]:
    return [dict(zip(("start_time", "end_time"), each.split("-"), strict=True)) for each in ranges]


# --- what an entry says --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("moment", "keys", "expected"),
    [
        ("2026-11-22T12:00", {}, True),
        ("2026-11-22T09:00", {"times": times("09:00-18:00")}, True),
        ("2026-11-22T17:59:59.999", {"times": times("09:00-18:00")}, True),
        ("2026-11-22T18:00", {"times": times("09:00-18:00")}, False),
        ("2026-11-22T08:59:59.999", {"times": times("09:00-18:00")}, False),
        ("2026-11-22T23:59:59.999", {"times": times("22:00-24:00", "00:00-04:00")}, True),
        ("2026-11-22T03:59", {"times": times("22:00-24:00", "00:00-04:00")}, True),
        ("2026-11-22T12:00", {"times": times("22:00-24:00", "00:00-04:00")}, False),
        ("2026-11-22T12:00", {"weekdays": ["sunday"]}, True),
        ("2026-11-22T12:00", {"weekdays": ["Monday:FRIDAY"]}, False),
        ("2026-11-23T12:00", {"weekdays": ["Monday:FRIDAY"]}, True),
        ("2026-11-28T12:00", {"weekdays": ["sunday:saturday"]}, True),
        ("2026-11-30T12:00", {"days_of_month": ["-1"]}, True),
        ("2026-11-29T12:00", {"days_of_month": ["-1"]}, False),
        ("2028-02-29T12:00", {"days_of_month": ["-1"]}, True),
        ("2028-02-28T12:00", {"days_of_month": ["-1"]}, False),
        ("2026-11-28T12:00", {"days_of_month": ["-3:-1"]}, True),
        ("2026-11-27T12:00", {"days_of_month": ["-3:-1"]}, False),
        ("2026-11-30T12:00", {"days_of_month": ["15:-1"]}, True),
        ("2026-11-14T12:00", {"days_of_month": ["15:-1"]}, False),
        ("2026-02-28T12:00", {"days_of_month": ["31"]}, False),  # what a month does not have never comes
        ("2026-02-28T12:00", {"days_of_month": ["28:31"]}, True),
        ("2026-02-01T12:00", {"days_of_month": ["-31:-28"]}, True),  # and what is before its first day begins with it
        ("2026-02-02T12:00", {"days_of_month": ["-31:-28"]}, False),
        ("2026-11-22T12:00", {"months": ["november"]}, True),
        ("2026-11-22T12:00", {"months": ["1:3", "11"]}, True),
        ("2026-11-22T12:00", {"months": ["May:August"]}, False),
        ("2026-11-22T12:00", {"years": ["2020:2022", "2026"]}, True),
        ("2026-11-22T12:00", {"years": ["2027:2030"]}, False),
        ("2026-11-22T12:00", {"weekdays": ["sunday"], "months": ["december"]}, False),  # every key must hold
        ("2026-11-22T23:30+00:00", {"location": "Europe/Paris", "weekdays": ["monday"]}, True),
        ("2026-11-22T23:30+00:00", {"weekdays": ["monday"]}, False),
    ],
)
def test_an_entry_holds_if_each_key_does_and_a_key_if_any_value_does(
    moment: str,
    keys: dict[str, Any],
    expected: bool,  # noqa: FBT001 -- a column of the table
) -> None:
    assert contains(moment, **keys) is expected


def test_an_interval_without_a_location_goes_by_the_zone_of_the_process() -> None:
    moment = datetime(2026, 11, 22, 23, 30, tzinfo=UTC)
    assert contains(moment, "Europe/Paris", weekdays=["monday"])
    assert not contains(moment, "America/New_York", weekdays=["monday"])
    assert contains(moment, "America/New_York", weekdays=["monday"], location="Asia/Tokyo")


def test_the_month_of_a_change_has_as_many_days_as_ever() -> None:
    assert contains("2027-03-31T12:00", "America/New_York", days_of_month=["-1"])
    assert not contains("2027-03-30T12:00", "America/New_York", days_of_month=["-1"])


# --- windows -------------------------------------------------------------------------------------------------------

OFFICE = [{"weekdays": ["monday:friday"], "times": times("09:00-18:00")}]
LUNCH = [{"times": times("12:00-13:00")}]


@pytest.mark.parametrize(
    ("muting", "moment", "opens", "why"),
    [
        (None, "2026-11-22T12:00", "2026-11-22T12:00", None),
        (Muting(), "2026-11-22T12:00", "2026-11-22T12:00", None),
        (Muting(active=("office",)), "2026-11-22T12:00", "2026-11-23T09:00", "outside of office"),
        (Muting(active=("office",)), "2026-11-23T09:00:30", "2026-11-23T09:00:30", None),
        (Muting(active=("office",), mute=("lunch",)), "2026-11-23T12:30", "2026-11-23T13:00", "within lunch"),
        (Muting(active=("office", "lunch")), "2026-11-21T18:00", "2026-11-22T12:00", "outside of office, lunch"),
        (Muting(active=("lunch",), mute=("office",)), "2026-11-23T08:00", "2026-11-28T12:00", "outside of lunch"),
        (Muting(active=("gone",), mute=("gone",)), "2026-11-22T12:00", "2026-11-22T12:00", None),
        (Muting(active=("gone", "lunch")), "2026-11-22T11:00", "2026-11-22T12:00", "outside of lunch"),
        (Muting(mute=("always",)), "2026-11-22T12:00", None, "within always"),
        (Muting(active=("past",)), "2026-11-22T12:00", None, "outside of past"),
        (Muting(active=("lunch",), mute=("lunch",)), "2026-11-22T12:00", None, "within lunch"),
        (Muting(active=("leap",)), "2026-11-22T12:00", "2028-02-29T00:00", "outside of leap"),
        (Muting(active=("far",)), "2026-11-22T12:00", None, "outside of far"),
        (Muting(mute=("until",)), "2026-11-22T12:00", "2030-01-01T00:00", "within until"),
        (Muting(mute=("meals",)), "2026-11-22T12:00", "2026-11-22T15:00", "within meals"),
    ],
)
def test_a_route_is_muted_outside_of_the_active_ones_and_within_the_others_until_its_window_opens(
    muting: Muting | None, moment: str, opens: str | None, why: str | None
) -> None:
    windows = a_calendar(
        office=OFFICE,
        lunch=LUNCH,
        meals=[{"times": times("11:00-14:00", "08:00-11:30", "14:00-15:00")}],
        always=[{}],
        past=[{"years": ["2020:2025"]}],
        leap=[{"months": ["february"], "days_of_month": ["29"]}],
        far=[{"years": ["2040"]}],
        until=[{"years": ["2026:2029"]}],
    )
    at = datetime.fromisoformat(moment).replace(tzinfo=UTC)
    expected = datetime.fromisoformat(opens).replace(tzinfo=UTC) if opens else None

    assert windows.opens_at(muting, at) == expected
    assert windows.muted_by(muting, at) == why
    assert windows.is_muted(muting, at) is (why is not None)


@pytest.mark.parametrize(
    ("zone", "at", "opens"),
    [
        # 02:00 to 03:00 does not exist that night, and the next one does
        ("Europe/Paris", "2026-03-28T12:00+01:00", "2026-03-30T02:00+02:00"),
        # it comes twice, and the window is open all along
        ("Europe/Paris", "2026-10-24T12:00+02:00", "2026-10-25T02:00+02:00"),
        ("Europe/Paris", "2026-10-25T02:30+01:00", "2026-10-25T02:30+01:00"),
        # half an hour is skipped: it opens when the wall jumps into it
        ("Australia/Lord_Howe", "2026-10-03T12:00+10:30", "2026-10-04T02:30+11:00"),
        ("Australia/Lord_Howe", "2026-04-04T12:00+11:00", "2026-04-05T02:00+10:30"),
    ],
)
def test_a_window_follows_the_wall_through_a_change(zone: str, at: str, opens: str) -> None:
    windows = a_calendar(zone, night=[{"times": times("02:00-03:00")}])
    found = windows.opens_at(Muting(active=("night",)), datetime.fromisoformat(at))
    assert found == datetime.fromisoformat(opens)
    assert found.tzinfo is UTC


# --- against a plain oracle ----------------------------------------------------------------------------------------


def from_start(day: int, length: int) -> int:
    return day if day > 0 else [*range(1, length + 1)][day]


def holds(spec: dict[str, Any], wall: datetime) -> bool:
    """Tell whether an entry, its ranges as numbers, holds at a time on the wall: each key by itself."""
    length = calendar.monthrange(wall.year, wall.month)[1]
    if "times" in spec and not any(wall.hour * 60 + wall.minute in range(*each) for each in spec["times"]):
        return False
    plain = {"weekdays": (wall.weekday() + 1) % 7, "months": wall.month, "years": wall.year}
    days = [(from_start(begin, length), from_start(end, length)) for begin, end in spec.get("days_of_month", [])]
    return (not days or any(begin <= wall.day <= end for begin, end in days)) and all(
        any(value in range(begin, end + 1) for begin, end in spec[key]) for key, value in plain.items() if key in spec
    )


def clock(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"


def as_written(spec: dict[str, Any]) -> dict[str, Any]:
    """Return an entry as people write it."""
    written: dict[str, Any] = {"location": spec["location"]}
    if "times" in spec:
        written["times"] = [{"start_time": clock(begin), "end_time": clock(end)} for begin, end in spec["times"]]
    names = {"weekdays": WEEKDAYS, "months": ["", *MONTHS]}
    for key in ("weekdays", "months", "days_of_month", "years"):
        if key in spec:
            texts = [[names[key][edge] if key in names else str(edge) for edge in each] for each in spec[key]]
            written[key] = [first if first == last else f"{first}:{last}" for first, last in texts]
    return written


def ranges(low: int, high: int, *, least: int = 0) -> st.SearchStrategy[list[tuple[int, int]]]:
    one = st.tuples(st.integers(low, high), st.integers(low, high))
    one = one.map(lambda pair: (min(pair), max(pair))).filter(lambda pair: pair[1] - pair[0] >= least)
    return st.lists(one, min_size=1, max_size=2)


ZONES = ["Europe/Paris", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "UTC"]
DAYS = [
    ("Europe/Paris", date(2026, 3, 29)),
    ("Europe/Paris", date(2027, 10, 31)),
    ("America/New_York", date(2027, 3, 14)),
    ("America/New_York", date(2026, 11, 1)),
    ("Australia/Lord_Howe", date(2026, 4, 5)),
    ("Australia/Lord_Howe", date(2026, 10, 4)),
    ("America/St_Johns", date(2010, 11, 7)),  # from one minute past midnight back into the day before
    ("America/St_Johns", date(2011, 3, 13)),
    ("America/Sao_Paulo", date(2018, 11, 4)),  # a day without a midnight
    ("America/Sao_Paulo", date(2018, 2, 18)),  # from midnight back into the day before
    ("Pacific/Apia", date(2011, 12, 30)),  # a day that never was
    ("Africa/Casablanca", date(2026, 2, 15)),
    ("UTC", date(2027, 12, 31)),
    ("Europe/Paris", date(2028, 2, 29)),
]
PLACES = st.sampled_from(DAYS) | st.tuples(st.sampled_from(ZONES), st.dates(date(2020, 1, 1), date(2037, 1, 1)))
SPECS = st.fixed_dictionaries(
    {"location": st.sampled_from([*ZONES, None])},
    optional={
        "times": ranges(0, 24 * 60, least=1) | st.just([(0, 120)]) | st.just([(60, 180), (1380, 1440)]),
        "weekdays": ranges(0, 6),
        "months": ranges(1, 12),
        "years": ranges(2026, 2028),
        "days_of_month": ranges(1, 31) | ranges(-28, -1) | st.just([(1, -1)]) | st.just([(25, -1)]),
    },
)


@settings(max_examples=25, deadline=None)
@given(
    place=PLACES,
    active=st.lists(SPECS, max_size=2),
    mute=st.lists(SPECS, max_size=2),
    starts=st.lists(st.floats(0, 4 * 1440 - 1), min_size=1, max_size=40),
)
def test_windows_are_those_of_a_walk_minute_by_minute(
    place: tuple[str, date], active: list[dict[str, Any]], mute: list[dict[str, Any]], starts: list[float]
) -> None:
    zone, day = place
    specs = [[{**spec, "location": spec["location"] or zone} for spec in each] for each in (active, mute)]
    windows = a_calendar(active=[as_written(spec) for spec in specs[0]] or [{}], mute=written_or_never(specs[1]))
    muting = Muting(active=("active",), mute=("mute",))
    first = datetime.combine(day, time(), UTC) - timedelta(hours=36)

    walls = [
        {
            name: (first + at * MINUTE).astimezone(ZoneInfo(name))
            for name in {spec["location"] for spec in itertools.chain(*specs)}
        }
        for at in range(4 * 1440)
    ]
    muted = [
        any(holds(spec, wall[spec["location"]]) for spec in specs[1])
        or (bool(specs[0]) and not any(holds(spec, wall[spec["location"]]) for spec in specs[0]))
        for wall in walls
    ]

    assert [windows.is_muted(muting, first + at * MINUTE) for at in range(len(muted))] == muted
    for start in starts:
        moment = first + timedelta(minutes=start)
        opens = windows.opens_at(muting, moment)
        after = [at for at in range(int(start) + 1, len(muted)) if not muted[at]]
        if not muted[int(start)]:
            assert opens == moment
        elif after:
            assert opens == first + after[0] * MINUTE
        else:
            assert opens is None or opens >= first + len(muted) * MINUTE


def written_or_never(specs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [as_written(spec) for spec in specs] or [{"years": ["1999"]}]


@pytest.mark.parametrize("zone", ["Europe/Paris", "America/New_York", "Australia/Lord_Howe"])
def test_over_three_years_every_opening_is_found_where_a_walk_finds_it(zone: str) -> None:
    spec = {"location": zone, "times": [(60, 150), (540, 1080)], "weekdays": [(0, 4)], "days_of_month": [(5, -3)]}
    windows = a_calendar(it=[as_written(spec)])
    quarter, start = timedelta(minutes=15), datetime(2026, 1, 1, tzinfo=UTC)
    walk = [start + at * quarter for at in range(3 * 365 * 96)]
    inside = [holds(spec, at.astimezone(ZoneInfo(zone))) for at in walk]
    openings = [at for at, was, now in zip(walk[1:], inside, inside[1:], strict=False) if now and not was]

    found, at = [], start
    while True:
        closes = windows.opens_at(Muting(mute=("it",)), at)
        assert closes is not None
        at = windows.opens_at(Muting(active=("it",)), closes) or closes
        if at > walk[-1]:
            break
        found.append(at)

    assert found == openings
    assert len(found) > 900


def test_a_window_that_never_opens_is_given_up_without_walking_minutes() -> None:
    looked = 0

    class Counting(ZoneInfo):
        def utcoffset(self, moment: datetime | None, /) -> timedelta | None:
            nonlocal looked
            looked += 1
            return super().utcoffset(moment)

    windows = a_calendar(past=[{"years": ["2020"], "times": times("09:00-18:00")}])
    (interval,) = windows.intervals["past"]
    counted = Calendar(intervals={"past": (type(interval)(zone=Counting("UTC"), years=interval.years),)})

    assert counted.opens_at(Muting(active=("past",)), NOON) is None
    assert looked < HORIZON.days


def test_local_is_the_machines_zone(monkeypatch: pytest.MonkeyPatch) -> None:
    office = {"times": [{"start_time": "09:00", "end_time": "18:00"}], "location": "Local"}
    seen = []
    for zone in ("America/New_York", "Asia/Tokyo"):
        monkeypatch.setenv("TZ", zone)
        seen.append([contains(NOON.replace(hour=hour), "Europe/Paris", **office) for hour in (1, 8, 12, 17, 22)])
    assert seen == [[False, False, False, True, True], [True, True, False, False, False]]


@pytest.mark.parametrize(
    ("variable", "hours"),
    [
        ("Asia/Tokyo", 9),
        (":Asia/Tokyo", 9),
        (None, 5),  # the machine's file
        ("", 0),
        ("No/Such_Place", 0),
        ("CET-1CEST", 0),  # no name of a zone, as Alertmanager has it
        ("/no/such/file", 0),
        ("../localtime", 0),
    ],
)
def test_the_machines_zone_is_that_of_its_variable_else_of_its_file_else_utc(
    tmp_path: Path, variable: str | None, hours: int
) -> None:
    file = tmp_path / "localtime"
    file.write_bytes(fixed_zone(hours=5))
    assert local_zone(variable, str(file)).utcoffset(NOON) == timedelta(hours=hours)
    assert local_zone(str(file), "/none").utcoffset(NOON) == timedelta(hours=5)
    assert local_zone(None, str(tmp_path / "none")).utcoffset(NOON) == timedelta()
    assert local_zone(None, str(file)) is local_zone(None, str(file)), "a reload finds its intervals unchanged"


def fixed_zone(*, hours: int) -> bytes:
    """Return a file of a zone that is always so far ahead of UTC, as RFC 8536 writes it in its first version."""
    header = b"TZif" + bytes(16) + struct.pack(">6l", 0, 0, 0, 0, 1, 4)
    return header + struct.pack(">lbb", hours * 3600, 0, 0) + b"XXX\0"


# --- what is refused -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("entry", "place", "message"),
    [
        ({"times": times("9:00-18:00")}, "times[0].start_time", "'9:00' is no time: write HH:MM"),
        ({"times": times("09:00-24:30")}, "times[0].end_time", "'24:30' is no time"),
        ({"times": times("22:00-06:00")}, "times[0].end_time", "22:00 to 24:00 and 00:00 to 06:00"),
        ({"times": times("22:00-00:00")}, "times[0].end_time", "write 24:00"),
        ({"times": times("08:00-08:00")}, "times[0].end_time", "not after its start"),
        ({"weekdays": ["mon"]}, "weekdays[0]", "'mon' is no weekday: write monday"),
        ({"weekdays": ["1:5"]}, "weekdays[0]", "'1' is no weekday: write sunday to saturday"),
        ({"weekdays": ["monday:"]}, "weekdays[0]", "'' is no weekday"),
        ({"weekdays": ["saturday:sunday"]}, "weekdays[0]", "write two entries, saturday and sunday"),
        ({"weekdays": ["friday:monday"]}, "weekdays[0]", "write two entries, friday:saturday and sunday:monday"),
        ({"days_of_month": ["0"]}, "days_of_month[0]", "'0' is no day of a month"),
        ({"days_of_month": ["32"]}, "days_of_month[0]", "'32' is no day of a month"),
        ({"days_of_month": ["1", "-32"]}, "days_of_month[1]", "'-32' is no day of a month"),
        ({"days_of_month": ["-3:5"]}, "days_of_month[0]", "must end there too"),
        ({"days_of_month": ["5:3"]}, "days_of_month[0]", "always before day 5"),
        ({"days_of_month": ["-1:-3"]}, "days_of_month[0]", "always before day -1"),
        ({"days_of_month": ["27:-3"]}, "days_of_month[0]", "always before day 27"),
        ({"months": ["13"]}, "months[0]", "'13' is no month"),
        ({"months": ["febuary"]}, "months[0]", "write february"),
        ({"months": ["november:2"]}, "months[0]", "write two entries, november:december and january:february"),
        ({"years": ["soon"]}, "years[0]", "'soon' is no year"),
        ({"years": ["2027:2026"]}, "years[0]", "write 2026:2027"),
        ({"location": "Europe/Pariss"}, "location", "did you mean Europe/Paris?"),
        ({"location": "local"}, "location", "there is no such time zone"),
        ({"location": "../etc/passwd"}, "location", "there is no such time zone"),
        ({"weekdays": []}, "weekdays", "is empty"),
        ({"times": []}, "times", "is empty"),
    ],
)
def test_a_mistake_is_told_with_its_place_and_remedy(entry: dict[str, Any], place: str, message: str) -> None:
    with pytest.raises(RuleFaults) as raised:
        compile_rules(a_config({"it": [entry]}))
    (fault,) = str(raised.value).split("; ") if "; " not in message else [str(raised.value)]
    assert fault.startswith(f"time_intervals[0].time_intervals[0].{place}: ")
    assert message in fault
