"""The tables of section 6 of the design, number by number and code by code."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from bellwire.channels import http_verdicts, slack_verdicts
from bellwire.errors import Verdict

AT = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)

RETRY = {408, 425, 429} | set(range(500, 600))
CHANNEL_FAULT = {401, 403, 404, 407, 410} | set(range(300, 400))


@pytest.mark.parametrize("status", range(200, 600))
def test_every_status_has_the_verdict_of_the_contract(status: int) -> None:
    error = http_verdicts.of_status(status, {}, AT)

    if status < 300:
        assert error is None
        return
    assert error is not None
    assert error.reason == f"http_{status}"
    if status in RETRY:
        assert error.verdict is Verdict.RETRY
    elif status in CHANNEL_FAULT:
        assert error.verdict is Verdict.CHANNEL_FAULT
    else:
        assert error.verdict is Verdict.MESSAGE_FAULT


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"Retry-After": "0"}, 0.0),
        ({"Retry-After": "37"}, 37.0),
        ({"Retry-After": " 37 "}, 37.0),
        ({"Retry-After": "1.5"}, 1.5),
        ({"Retry-After": "1.5.2"}, None),
        ({"Retry-After": "9" * 400}, 86_400.0),
        ({"Retry-After": "-5"}, None),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "²"}, None),
        ({"Retry-After": "Sun, 22 Nov 2026 10:01:30 GMT"}, 90.0),
        ({"Retry-After": "Sun, 22 Nov 2026 09:00:00 GMT"}, 0.0),
        ({"Retry-After": "Sun, 22 Nov 2099 09:00:00 GMT"}, 86_400.0),
        # the other side's clock is an hour ahead: its own date says so
        ({"Retry-After": "Sun, 22 Nov 2026 11:00:07 GMT", "Date": "Sun, 22 Nov 2026 11:00:00 GMT"}, 7.0),
    ],
)
def test_retry_after_is_read_in_seconds_and_as_a_date(headers: dict[str, str], seconds: float | None) -> None:
    error = http_verdicts.of_status(429, headers, AT)

    assert error is not None
    assert error.retry_after == seconds


@pytest.mark.parametrize(
    ("code", "verdict"),
    [
        ("ratelimited", Verdict.RETRY),
        ("internal_error", Verdict.RETRY),
        ("service_unavailable", Verdict.RETRY),
        ("a_code_of_tomorrow", Verdict.RETRY),
        ("fatal_error", Verdict.IN_DOUBT),
        ("msg_too_long", Verdict.MESSAGE_FAULT),
        ("invalid_blocks", Verdict.MESSAGE_FAULT),
        ("invalid_auth", Verdict.CHANNEL_FAULT),
        ("token_revoked", Verdict.CHANNEL_FAULT),
        ("channel_not_found", Verdict.CHANNEL_FAULT),
        ("is_archived", Verdict.CHANNEL_FAULT),
        ("not_in_channel", Verdict.CHANNEL_FAULT),
    ],
)
def test_slacks_codes_have_the_verdicts_of_the_contract(code: str, verdict: Verdict) -> None:
    error = slack_verdicts.of_answer(code, 200, {}, AT)

    assert (error.verdict, error.reason) == (verdict, f"slack_{code}")


def test_slacks_rate_limit_names_its_pause() -> None:
    error = slack_verdicts.of_answer("ratelimited", 429, {"Retry-After": "30"}, AT)

    assert (error.verdict, error.reason, error.retry_after) == (Verdict.RETRY, "slack_ratelimited", 30.0)


def test_an_answer_that_is_not_slacks_own_is_judged_by_its_status() -> None:
    assert slack_verdicts.of_answer(None, 502, {}, AT).verdict is Verdict.RETRY
    assert slack_verdicts.of_answer(None, 302, {}, AT).verdict is Verdict.CHANNEL_FAULT
    assert slack_verdicts.of_answer(None, 200, {}, AT).verdict is Verdict.IN_DOUBT
