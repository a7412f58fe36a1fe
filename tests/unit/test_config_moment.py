"""Moments and how far back one may look."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

import pytest

from bellwire.config.moment import parse_moment, parse_reach

PARIS = ZoneInfo("Europe/Paris")


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-11-23T10:00:00+01:00", datetime(2026, 11, 23, 9, tzinfo=UTC)),
        (" 2026-07-01T12:00 ", datetime(2026, 7, 1, 10, tzinfo=UTC)),
        ("2026-11-23", datetime(2026, 11, 22, 23, tzinfo=UTC)),
        ("1970-01-01T01:00", datetime(1970, 1, 1, tzinfo=UTC)),
        ("8999-12-31T23:59:59Z", datetime(8999, 12, 31, 23, 59, 59, tzinfo=UTC)),
    ],
)
def test_a_moment_without_an_offset_is_one_of_the_zone(text: str, moment: datetime) -> None:
    read = parse_moment(text, PARIS)
    assert (read, read.tzinfo) == (moment, UTC)


@pytest.mark.parametrize(
    "text",
    [
        "0001-01-01",
        "0001-01-01T00:00:00+14:00",
        "1969-12-31T11:59:59",
        "9000-01-01T14:00",
        "9999-12-31T23:59:59",
        "9999-12-31T23:59:59-14:00",
    ],
)
@pytest.mark.parametrize("zone", [UTC, PARIS, ZoneInfo("Pacific/Kiritimati"), ZoneInfo("Etc/GMT+12")])
def test_what_cannot_be_reckoned_with_is_refused(text: str, zone: tzinfo) -> None:
    with pytest.raises(ValueError, match="lies too far away: write a time of the years 1970 to 8999"):
        parse_moment(text, zone)


@pytest.mark.parametrize("text", ["", "noon", "2026-13-01", "10:00", "\udcff"])
def test_what_is_no_moment_is_refused_with_what_one_looks_like(text: str) -> None:
    with pytest.raises(ValueError, match="write it as 2026-11-23T10:00"):
        parse_moment(text)


def test_nobody_looks_back_for_more_than_a_hundred_years() -> None:
    assert parse_reach("1h30m") == timedelta(minutes=90)
    assert parse_reach("36525d") == timedelta(days=36_525)
    for text in ("36525d1s", "99999999d", f"{'9' * 400}d"):
        with pytest.raises(ValueError, match="is longer than a"):
            parse_reach(text)
