"""Tokens: whoever is told when there is one has to wait until then."""

from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from bellwire.ledger.bucket import Bucket
from bellwire.records import RateLimit
from fakes import FakeClock

if TYPE_CHECKING:
    from datetime import datetime


def a_bucket(rate: RateLimit, tokens: float, then: datetime, now: datetime) -> Bucket:
    row: Any = SimpleNamespace(tokens=tokens, tokens_at=then)
    return Bucket(rate, row, now)


@pytest.mark.parametrize("per_second", [0.1, 1.0, 3.0, 7.0, 1000.0])
@pytest.mark.parametrize("tokens", [0.0, 0.3, 1 / 3, 0.9999985])
def test_the_next_token_is_never_there_already(per_second: float, tokens: float) -> None:
    now = FakeClock().now()
    rate = RateLimit(per_second=per_second, burst=5, max_delay=30.0)
    bucket = a_bucket(rate, tokens, now, now)
    assert bucket.whole == 0
    assert bucket.next_at > now
    later = a_bucket(rate, tokens, now, bucket.next_at + timedelta(microseconds=1))
    assert later.whole == 1
