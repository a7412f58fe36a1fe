"""Backoff, pauses and breakers are rows: a restart changes no due time."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from bellwire.errors import Verdict
from bellwire.ledger.ledger import Ledger
from ledger_rig import send
from makers import PAGER, a_policy, an_arrival

if TYPE_CHECKING:
    from fakes import FakeClock

IN_A_MOMENT, LATER = timedelta(seconds=7.25), timedelta(seconds=90)


@pytest.mark.parametrize(
    ("outcome", "waits"),
    [
        ({"verdict": Verdict.RETRY, "reason": "http_503", "due": IN_A_MOMENT}, IN_A_MOMENT),
        ({"verdict": Verdict.RETRY, "reason": "http_429", "due": LATER, "blocked": LATER}, LATER),
        ({"verdict": Verdict.CHANNEL_FAULT, "reason": "http_401", "due": timedelta()}, timedelta(seconds=3)),
    ],
    ids=["backoff", "Retry-After", "breaker"],
)
async def test_a_restart_changes_no_due_time(
    ledger_url: str, clock: FakeClock, outcome: dict[str, Any], waits: timedelta
) -> None:
    policy = a_policy(PAGER, initial_backoff=3.0)
    due, blocked = outcome.pop("due"), outcome.pop("blocked", None)
    expected = clock.now() + waits
    before = await Ledger.open(ledger_url, lambda _last: clock)
    await before.record([an_arrival(PAGER)])
    blocked_until = clock.now() + blocked if blocked else None
    await send(before, policy, **outcome, due_at=clock.now() + due, blocked_until=blocked_until)
    assert (await before.claim(policy, 10)).next_due == expected
    await before.close()
    after = await Ledger.open(ledger_url, lambda _last: clock)
    try:
        assert (await after.claim(policy, 10)).next_due == expected
        await clock.advance(waits.total_seconds())
        assert len((await after.claim(policy, 10)).claims) == 1
    finally:
        await after.close()
