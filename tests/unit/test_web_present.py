from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from bellwire.model import (
    AlertState,
    DeliveryState,
    MarkState,
    ObligationState,
    Severity,
    SourceState,
    Suppression,
)
from bellwire.web import present
from bellwire.web.docs import kind
from fake_view import NOW, FakeView, a_busy_view, a_channel


@pytest.mark.parametrize("states", [SourceState, AlertState, ObligationState, DeliveryState, MarkState])
def test_every_state_has_a_tone_of_its_own(states: type[AlertState]) -> None:
    assert [state for state in states if str(state) not in present._TONES] == []  # noqa: SLF001 - the table under test


def test_every_severity_has_a_tone() -> None:
    tones = [present.tone(severity.text) for severity in Severity]
    assert tones == ["idle", "warn", "bad", "bad"]


def test_every_suppression_is_put_into_words() -> None:
    shown = [present.environment().filters["why_not"](reason) for reason in Suppression]
    assert not [words for words in shown if "_" in words]


def test_a_time_of_today_is_shown_without_its_day() -> None:
    html = present.moment(NOW, NOW)
    assert html == ('<time datetime="2026-11-22T10:00:05.250Z" title="2026-11-22 10:00:05.250 UTC">10:00:05</time>')


def test_a_time_of_another_day_is_shown_with_it() -> None:
    assert ">21 Nov 09:00</time>" in present.moment(NOW - timedelta(hours=25), NOW)
    assert ">22 Nov 2027 10:00</time>" in present.moment(NOW + timedelta(days=365), NOW)


def test_times_are_shown_in_utc_whatever_zone_they_come_in() -> None:
    there = datetime(2026, 11, 22, 15, 30, tzinfo=timezone(timedelta(hours=5, minutes=30)))
    assert ">2026-11-22 10:00:00.000<" in present.exact(there)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "\N{EN DASH}"),
        (-0.2, "0 ms"),
        (0.042, "42 ms"),
        (59.94, "59.9 s"),
        (95, "1 min 35 s"),
        (7260, "2 h 1 min"),
        (180_000, "2 d 2 h"),
    ],
)
def test_lengths_of_time_read_well(seconds: float | None, text: str) -> None:
    assert present.span(seconds) == text


@pytest.mark.parametrize("url", ["javascript:alert(1)", "data:text/html,x", "//evil.example", "http://[", "", None])
def test_only_web_addresses_become_links(url: str | None) -> None:
    assert present.web_link(url) is None


def test_a_web_address_becomes_a_link() -> None:
    assert present.web_link("https://vision.example/1") == "https://vision.example/1"


async def test_the_verdict_names_every_reason_first_of_all() -> None:
    overview = await a_busy_view().overview()
    said = present.verdict(overview, ["the ledger cannot write: disk full", "account vision is connecting"])
    assert said == {
        "tone": "bad",
        "title": "Bellwire is not ready",
        "lines": ["the ledger cannot write: disk full", "account vision is connecting"],
    }


async def test_the_verdict_is_a_warning_while_something_is_dead_or_broken() -> None:
    view = FakeView(channels=[a_channel("pager", "webhook", broken_since=NOW)], counts={"deliveries.dead": 2})
    said = present.verdict(await view.overview(), [])
    assert said["tone"] == "warn"
    assert said["lines"] == ["pager/webhook takes nothing at the moment", "2 deliveries are dead"]


async def test_the_verdict_names_troubles_those_that_nobody_could_be_told_of_and_a_silent_heartbeat() -> None:
    trouble = {
        "kind": "account_silent",
        "text": "account vision is silent",
        "began_at": NOW,
        "ended_at": None,
        "untold": 0,
    }
    over = trouble | {"kind": "reload_failed", "ended_at": NOW, "untold": 2}
    heartbeat = {"last_success_at": None, "failing": "HTTP 500", "withheld": None}
    view = FakeView(troubles=[trouble, over], heartbeat=heartbeat)
    said = present.verdict(await view.overview(), [])
    assert (said["tone"], said["lines"]) == (
        "warn",
        [
            "account vision is silent, since 2026-11-22 10:00 UTC",
            "2 of the messages about this could not be sent to meta_receiver yet",
            "the heartbeat is silent: HTTP 500",
        ],
    )


async def test_the_verdict_is_good_otherwise() -> None:
    view = FakeView(channels=[a_channel()], counts={"alerts.in_flight": 1200})
    said = present.verdict(await view.overview(), [])
    assert (said["tone"], said["lines"]) == ("good", ["Every account is connected; 1,200 on the way."])


@pytest.mark.parametrize(
    ("schema", "text"),
    [
        ({"$ref": "#/components/schemas/Alert"}, "Alert"),
        ({"type": "array", "items": {"$ref": "#/components/schemas/Alert"}}, "list of Alert"),
        ({"anyOf": [{"type": "string", "format": "date-time"}, {"type": "null"}]}, "date-time or null"),
        ({"type": "object", "additionalProperties": {"type": "integer"}}, "object of integer"),
        ({"enum": ["a", "b"]}, "a | b"),
        ({}, "anything"),
    ],
)
def test_the_api_page_names_what_a_schema_takes(schema: dict[str, object], text: str) -> None:
    assert kind(schema) == text


def test_nothing_of_an_alert_gets_onto_a_page_as_markup() -> None:
    shown = present.environment().from_string("{{ title }}").render(title="<script>alert(1)</script>")
    assert shown == "&lt;script&gt;alert(1)&lt;/script&gt;"
