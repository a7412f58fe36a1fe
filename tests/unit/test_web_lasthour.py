from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from bellwire.web.chart import HEIGHT, NARROW, WIDE, draw
from bellwire.web.lasthour import MINUTES, LastHour

NOON = datetime(2026, 11, 22, 12, 0, 30, tzinfo=UTC)


def counts(received: int = 0, dead: int = 0, confirmed: tuple[float, float] = (0.0, 0.0), **more: int) -> Any:
    totals = {"alerts.received": received, "alerts.dead": dead} | {f"alerts.{name}": n for name, n in more.items()}
    return {"totals": totals, "confirmed": {"ops/slack": confirmed}}


def minute(**values: int) -> dict[str, Any]:
    return {"at": NOON.replace(second=0), "received": 0, "delivered": 0, "suppressed": 0, "dead": 0} | values


def test_what_was_there_before_is_nothing_that_came() -> None:
    hour = LastHour()
    hour.note(NOON, counts(received=1000))
    assert sum(each["received"] for each in hour.minutes(NOON)) == 0


def test_alerts_are_counted_in_the_minute_they_came_in() -> None:
    hour = LastHour()
    for after, received in ((0, 10), (10, 13), (70, 20)):
        hour.note(NOON + timedelta(seconds=after), counts(received=received))
    told = hour.minutes(NOON + timedelta(seconds=70))
    assert len(told) == MINUTES
    assert [each["received"] for each in told[-2:]] == [3, 7]
    assert told[-1]["at"] == datetime(2026, 11, 22, 12, 1, tzinfo=UTC)


def test_a_replay_takes_from_the_dead_and_is_no_alert_less() -> None:
    hour = LastHour()
    hour.note(NOON, counts(dead=5))
    hour.note(NOON + timedelta(seconds=10), counts(dead=2))
    assert hour.minutes(NOON)[-1]["dead"] == 0


def test_only_an_hour_is_kept_however_long_it_runs() -> None:
    hour = LastHour()
    for n in range(500):
        hour.note(NOON + timedelta(minutes=n), counts(received=n))
    told = hour.minutes(NOON + timedelta(minutes=499))
    assert [each["received"] for each in told] == [1] * MINUTES


def test_a_wall_that_is_set_back_begins_anew() -> None:
    hour = LastHour()
    hour.note(NOON, counts(received=1))
    hour.note(NOON - timedelta(hours=3), counts(received=4))
    assert hour.minutes(NOON - timedelta(hours=3))[-1]["received"] == 3


def test_the_pace_is_that_of_the_last_five_minutes() -> None:
    hour = LastHour()
    assert hour.pace("ops", "slack") == {"rate": None, "latency": None}
    hour.note(NOON, counts(confirmed=(100, 50)))
    hour.note(NOON + timedelta(minutes=10), counts(confirmed=(200, 100)))
    hour.note(NOON + timedelta(minutes=12), counts(confirmed=(220, 140)))
    assert hour.pace("ops", "slack") == {"rate": 10.0, "latency": 2.0}
    assert hour.pace("ops", "email") == {"rate": 0.0, "latency": None}


def test_bars_stand_on_each_other_and_never_leave_the_drawing() -> None:
    for width in (WIDE, NARROW):
        drawn = draw([minute(received=9, delivered=5, suppressed=3, dead=1)], width)
        bottom = drawn["ground"]
        for bar in drawn["bars"]:
            assert abs(bar["y"] + bar["height"] - bottom) < 0.2
            bottom = bar["y"]
        assert 0 < bottom < HEIGHT
        assert [bar["kind"] for bar in drawn["bars"]] == ["delivered", "suppressed", "dead"]
        assert all(bar["x"] + bar["width"] <= width for bar in drawn["bars"])


def test_the_drawing_is_told_in_words_too() -> None:
    assert draw([minute()])["words"] == "Nothing came in the last hour."
    told = draw([minute(received=1200, delivered=1200)])["words"]
    assert told == (
        "In the last hour: 1,200 received, 1,200 delivered, 0 suppressed, 0 dead. "
        "The busiest minute was 12:00 with 1,200."
    )
