"""A channel's rate limit: its tokens, one row a channel."""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from bellwire.ledger.tables import channels

if TYPE_CHECKING:
    from bellwire.ledger.transaction import Transaction
    from bellwire.ledger.types import AnyRow
    from bellwire.records import RateLimit


class Bucket:
    """A channel's tokens, as they stand now. All of its messages come out of it, whatever they are about."""

    def __init__(self, rate: RateLimit, channel: AnyRow, now: datetime) -> None:
        self._rate = rate
        self._now = now
        # A clock that was set back while nothing ran must not block the channel for as long.
        elapsed = max(0.0, (now - channel.tokens_at).total_seconds()) if channel.tokens_at else math.inf
        before = channel.tokens if channel.tokens is not None else float(rate.burst)
        self._tokens = min(float(rate.burst), before + elapsed * rate.per_second) if elapsed < math.inf else before
        # What adding up fractions loses must not cost a token its turn.
        self.whole = math.floor(self._tokens + 1e-6)

    def spend(self, tx: Transaction, channel_id: int, number: int) -> None:
        """Take so many tokens out, and write what is left."""
        if number:
            self._tokens = max(0.0, self._tokens - number)
            values = {"tokens": self._tokens, "tokens_at": self._now}
            tx.connection.execute(channels.update().where(channels.c.id == channel_id).values(values))

    @property
    def next_at(self) -> datetime:
        """When there is a whole token: now only if there is one."""
        missing = timedelta(seconds=max(0.0, 1.0 - self._tokens) / self._rate.per_second)
        return self._now + (missing if self.whole else max(missing, timedelta.resolution))
