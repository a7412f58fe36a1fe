"""What gets too old while its channel is held up: broken, or paused because the other side asked for it.

What may not be attempted cannot fail either: its age would be looked at one probe at a time. So each claim that such a
channel turns down looks at it. The age counts from the first attempt; what a channel keeps even from that counts as
attempted since. What was too old before the channel was held up, or before anybody served it (the daemon was down, the
receiver paused), gets its turn, unless it is held up for as long again.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import bindparam, select

from bellwire.ledger.ending import Endings
from bellwire.ledger.prepared import Prepared
from bellwire.ledger.screening import screen
from bellwire.ledger.tables import CLAIMABLE, TRIED, deliveries
from bellwire.ledger.types import Instant
from bellwire.records import Claims

if TYPE_CHECKING:
    from bellwire.ledger.transaction import Transaction
    from bellwire.ledger.types import AnyRow
    from bellwire.records import ChannelPolicy

REASON = "max_age"

_BATCH = 500  # bounds the transaction: others wait for it
_LONGEST = timedelta(days=3650)  # what is older than that was never meant to get old
_EVER = datetime(1970, 1, 1, tzinfo=UTC)

_TRIED = (
    select(deliveries)
    .where(
        TRIED,
        deliveries.c.channel_id == bindparam("channel"),
        deliveries.c.wall_due_at.is_(None),  # else it waits for a window, not for the channel
        deliveries.c.first_attempt_at > bindparam("after", type_=Instant),
    )
    .order_by(deliveries.c.first_attempt_at)
)
_UNTRIED = (
    select(deliveries)
    .where(
        CLAIMABLE,
        deliveries.c.attempts == 0,
        deliveries.c.channel_id == bindparam("channel"),
        deliveries.c.wall_due_at.is_(None),
        deliveries.c.due_at > bindparam("after", type_=Instant),
    )
    .order_by(deliveries.c.due_at, deliveries.c.id)
)
_OLD_TRIED = Prepared(_TRIED.where(deliveries.c.first_attempt_at <= bindparam("until", type_=Instant)).limit(_BATCH))
_OLD_UNTRIED = Prepared(_UNTRIED.where(deliveries.c.due_at <= bindparam("until", type_=Instant)).limit(_BATCH))
_NEXT_TRIED = Prepared(_TRIED.limit(1))
_NEXT_UNTRIED = Prepared(_UNTRIED.limit(1))


class Hold(NamedTuple):
    """Between when nothing, or only a probe, may be sent to a channel."""

    since: datetime
    until: datetime


def hold_of(channel: AnyRow, served_since: datetime, now: datetime) -> Hold | None:
    """Return what holds the channel up now, from its row: since when, as far as anybody has served it."""
    reasons = (channel.blocked_since, channel.blocked_until), (channel.broken_since, channel.probe_at)
    holds = [Hold(since or now, until) for since, until in reasons if until is not None and until > now]
    if not holds:
        return None
    since = min(each.since for each in holds)
    return Hold(max(since, served_since), max(each.until for each in holds))


def wait_out(tx: Transaction, policy: ChannelPolicy, channel: AnyRow, hold: Hold) -> Claims:
    """Let some of what is too old die; say when to ask again: at the hold's end, or once more of it is too old."""
    max_age = min(timedelta(seconds=policy.max_age), _LONGEST)
    before = tx.now - max_age
    lasting = hold.since <= before
    old = {"channel": channel.id, "after": _EVER if lasting else hold.since - max_age, "until": before}
    found = _OLD_TRIED.all(tx.connection, old)
    if lasting:
        found = (found + _OLD_UNTRIED.all(tx.connection, old))[:_BATCH]
    dying = screen(tx, found)
    if dying:
        _end(tx, policy, channel.id, dying)
    if len(found) == _BATCH:
        tx.due_channels.add(policy.key)  # there is more to look at than one transaction should
    left = {"channel": channel.id, "after": before}
    moments = [hold.until]
    if tried := _NEXT_TRIED.first(tx.connection, left):
        moments.append(tried.first_attempt_at + max_age)
    if (untried := _NEXT_UNTRIED.first(tx.connection, left)) and untried.due_at < hold.until:
        moments.append(max(untried.due_at, hold.since) + max_age)
    return Claims(next_due=min(moments), died=len(dying))


def _end(tx: Transaction, policy: ChannelPolicy, channel_id: int, rows: list[AnyRow]) -> None:
    endings = Endings(tx)
    for row in rows:
        endings.kill(row, REASON)
    endings.write()
    endings.stand_in({channel_id: policy.fallbacks})
    endings.settle_alerts()
