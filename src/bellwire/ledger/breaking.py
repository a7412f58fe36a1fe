"""A channel as a whole: its breaker, and the pause that the other side asked for. One row a channel, whatever waits.

The breaker opens after `BREAKER_THRESHOLD` failures in a row, or at once where the channel itself is at fault. It lets one
probe at a time through, with pauses that double; the first that is answered closes it.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import bindparam, select

from bellwire.errors import Verdict
from bellwire.ledger.prepared import Prepared
from bellwire.ledger.tables import channels

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from bellwire.ledger.transaction import Transaction
    from bellwire.model import ChannelKey
    from bellwire.records import ChannelPolicy, Outcome

BREAKER_THRESHOLD = 5
"""So many failures in a row open a channel's breaker."""

CHANNEL = Prepared(select(channels).where(channels.c.id == bindparam("key")))
"""The row of one channel."""


def update_channel(tx: Transaction, policy: ChannelPolicy, outcomes: Sequence[Outcome]) -> bool:
    """Open or close the channel's breaker, and keep what the other side asked of all of the channel.

    Return whether anything has changed.
    """
    channel_id = tx.channel_id(policy.key)
    row = CHANNEL.first(tx.connection, {"key": channel_id})
    before = _ChannelState(*(getattr(row, name) for name in _ChannelState._fields))
    after = before
    for outcome in outcomes:
        after = _after(after, outcome, policy, tx.now)
    if after == before:
        return False
    tx.connection.execute(channels.update().where(channels.c.id == channel_id).values(after._asdict()))
    return True


def pause_channels(tx: Transaction, pauses: Sequence[tuple[ChannelKey, datetime]]) -> list[None]:
    """Keep until when the other side asked for a pause, of each of these channels."""
    for key, until in pauses:
        channel_id = tx.channel_id(key)
        if asked := _pause(CHANNEL.first(tx.connection, {"key": channel_id}), until, tx.now):
            tx.connection.execute(channels.update().where(channels.c.id == channel_id).values(asked))
    return [None] * len(pauses)


class _ChannelState(NamedTuple):
    """The part of a channel's row that outcomes change."""

    failures: int
    blocked_since: datetime | None
    blocked_until: datetime | None
    broken_since: datetime | None
    probe_at: datetime | None
    last_error: str | None
    remote: str

    @property
    def troubled(self) -> bool:
        """Whether a success would change anything."""
        return bool(self.failures or self.broken_since or self.probe_at or self.last_error)


def _after(state: _ChannelState, outcome: Outcome, policy: ChannelPolicy, now: datetime) -> _ChannelState:
    """Return the channel's state after one more outcome. What the other side asked for holds whatever comes of it."""
    if outcome.verdict is None and not outcome.remote and outcome.blocked_until is None and not state.troubled:
        return state  # as nearly always
    state = state._replace(remote=outcome.remote or state.remote, **_pause(state, outcome.blocked_until, now))
    if outcome.verdict is None or outcome.verdict == Verdict.MESSAGE_FAULT:
        # It answered: the channel works.
        return state._replace(failures=0, broken_since=None, probe_at=None, last_error=None)
    state = state._replace(last_error=f"{outcome.reason}: {outcome.detail}")
    if state.probe_at is not None and now < state.probe_at:
        return state  # it was under way when the breaker opened: no probe, so no further evidence
    failures = state.failures + 1
    if outcome.verdict == Verdict.CHANNEL_FAULT:
        failures = max(failures, BREAKER_THRESHOLD)
    if failures < BREAKER_THRESHOLD:
        return state._replace(failures=failures)
    doublings = min(failures - BREAKER_THRESHOLD, 32)
    pause = timedelta(seconds=min(policy.max_backoff, policy.initial_backoff * 2**doublings))
    return state._replace(failures=failures, broken_since=state.broken_since or now, probe_at=now + pause)


def _pause(before: Any, until: datetime | None, now: datetime) -> dict[str, Any]:
    """Return what changes about a channel's pause by one that the other side asks for: the longer one holds."""
    if until is None or (before.blocked_until is not None and before.blocked_until >= until):
        return {}
    goes_on = before.blocked_until is not None and before.blocked_until > now
    return {"blocked_since": before.blocked_since if goes_on else now, "blocked_until": until}
