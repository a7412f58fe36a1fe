from __future__ import annotations

from typing import Any

import pytest
import structlog

from bellwire.cli.folding import WINDOW, Folding


class Log:
    """A folding processor with a clock of its own; ``lines`` is what a file would hold."""

    def __init__(self) -> None:
        self.now = 0.0
        self.lines: list[dict[str, Any]] = []
        self.folding = Folding(self._write, lambda: self.now)

    def _write(self, event: Any) -> None:
        self.lines.append(dict(event))

    def say(self, event: str, level: str = "warning", **fields: Any) -> None:
        try:
            self.lines.append(dict(self.folding(None, level, {"event": event, "level": level, **fields})))
        except structlog.DropEvent:
            return


@pytest.fixture
def log() -> Log:
    return Log()


def test_a_fault_that_repeats_is_one_line_then_a_count(log: Log) -> None:
    for number in range(1000):
        which: dict[str, Any] = {"delivery": f"D{number}", "alerts": [f"A{number}"], "timestamp": f"t{number}"}
        which |= {"detail": f"SMTP 451: queue id {number:x}", "attempt": number}
        log.say("delivery_failed", reason="smtp_451", **which | ({"more": number} if number % 2 else {}))
    assert log.lines == [
        {"event": "delivery_failed", "level": "warning", "reason": "smtp_451", "delivery": "D0", "timestamp": "t0"}
        | {"alerts": ["A0"], "attempt": 0, "detail": "SMTP 451: queue id 0"}
    ]
    log.now = WINDOW
    log.folding.flush()
    (_, counted) = log.lines
    assert (counted["repeated"], counted["delivery"]) == (999, "D999")


def test_a_fault_that_goes_on_is_one_line_a_window(log: Log) -> None:
    for minute in range(5):
        log.now = minute * WINDOW
        for _ in range(100):
            log.say("delivery_failed", reason="http_503")
    log.folding.flush(everything=True)
    assert [line.get("repeated") for line in log.lines] == [None, 99, 100, 100, 100, 100]


def test_a_fault_that_is_over_is_told_anew_when_it_comes_back(log: Log) -> None:
    log.say("audit_failed")
    log.now = WINDOW
    log.say("audit_failed")
    assert [line.get("repeated") for line in log.lines] == [None, None]


def test_faults_that_differ_are_told_apart(log: Log) -> None:
    for channel in ("ops/slack", "pager/webhook"):
        for reason in ("http_503", "timeout"):
            log.say("delivery_failed", channel=channel, reason=reason)
    log.say("delivery_failed", level="error", channel="ops/slack", reason="timeout")
    assert len(log.lines) == 5


def test_details_that_differ_are_told_apart_where_no_reason_says_what_is_alike(log: Log) -> None:
    for detail in ("gone", "refused"):
        log.say("read_mark_failed", level="error", detail=detail)
    assert len(log.lines) == 2


def test_what_is_no_fault_is_never_folded(log: Log) -> None:
    for _ in range(3):
        log.say("reloaded", level="info")
        log.say("delivery_sent", level="debug")
    assert len(log.lines) == 6


def test_whoever_asks_twice_is_told_twice(log: Log) -> None:
    for _ in range(2):
        log.say("reload_failed", level="error", faults=["route: is missing: add it"])
    assert len(log.lines) == 2


def test_what_its_source_counts_already_passes(log: Log) -> None:
    for repeated in (0, 4):
        log.say("source_failed", reason="timeout", repeated=repeated)
    assert [line["repeated"] for line in log.lines] == [0, 4]


def test_nothing_is_forgotten_when_very_many_different_faults_come(log: Log) -> None:
    for _ in range(2):
        for number in range(1500):
            log.say("web_request_failed", path=f"/{number}")
    log.folding.flush(everything=True)
    assert (
        sum(1 + line.get("repeated", 0) if "repeated" not in line else line["repeated"] for line in log.lines) == 3000
    )


def test_the_end_tells_what_was_counted(log: Log) -> None:
    log.say("channel_raised", channel="ops/slack")
    log.say("channel_raised", channel="ops/slack")
    log.folding.flush(everything=True)
    log.folding.flush(everything=True)
    assert [line.get("repeated") for line in log.lines] == [None, 1]
