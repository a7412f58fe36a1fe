"""Attempts and their outcomes: written before the send and after it; what follows from an outcome follows at once."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, func, select

from bellwire.ledger.breaking import CHANNEL, update_channel
from bellwire.ledger.claiming import offer_deliveries, unclaim
from bellwire.ledger.ending import Endings
from bellwire.ledger.prepared import KEYS, Insertion, Prepared
from bellwire.ledger.tables import (
    CLAIMABLE,
    SENDING,
    WAITING,
    attempts,
    deliveries,
    delivery_bodies,
)
from bellwire.ledger.types import Instant
from bellwire.model import DeliveryKind, DeliveryState
from bellwire.records import Claims, Settled

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from bellwire.ledger.transaction import Transaction
    from bellwire.model import ChannelKey
    from bellwire.records import ChannelPolicy, Outcome, Start

_START = Prepared(
    deliveries.update()
    .where(deliveries.c.id.in_(KEYS))
    .values(
        attempts=deliveries.c.attempts + 1,
        doubtful=True,
        first_attempt_at=func.coalesce(deliveries.c.first_attempt_at, bindparam("to_first_attempt_at", type_=Instant)),
        lease_until=bindparam("to_lease_until"),
    )
)
_OFFER_HOLDS = timedelta(seconds=2)  # then silences and windows must be asked again

_TAKE_AND_START = Prepared(
    deliveries.update()
    .where(
        CLAIMABLE,
        deliveries.c.id.in_(KEYS),
        deliveries.c.attempts == 0,
        deliveries.c.kind == DeliveryKind.ALERT,  # and still no digest
        deliveries.c.parts == 1,
        deliveries.c.wall_due_at.is_(None),
    )
    .values(
        state=DeliveryState.SENDING,
        open=False,
        attempts=1,
        doubtful=True,
        first_attempt_at=bindparam("to_first_attempt_at"),
        owner=bindparam("to_owner"),
        lease_until=bindparam("to_lease_until"),
    )
    .returning(deliveries.c.id)
)
_BEGIN_ATTEMPTS = Insertion(attempts)
_CLAIMED = Prepared(
    select(deliveries.c.id, deliveries.c.attempts).where(
        SENDING,
        deliveries.c.id.in_(KEYS),
        deliveries.c.owner == bindparam("owner"),
        deliveries.c.lease_until > bindparam("now", type_=Instant),
    )
)
_UNSETTLED = Prepared(
    select(
        deliveries.c.id,
        deliveries.c.channel_id,
        deliveries.c.state,
        deliveries.c.attempts,
        deliveries.c.due_at,
        deliveries.c.group_key,
        deliveries.c.group_labels,
        deliveries.c.group_interval,
        deliveries.c.fallen_back,
    ).where(WAITING, deliveries.c.id.in_(KEYS))
)
_KEEP_BODIES = Insertion(delivery_bodies)


def advance(
    tx: Transaction, batches: Sequence[tuple[ChannelPolicy, Sequence[Start], int, Collection[str] | None]]
) -> list[tuple[list[bool], Claims]]:
    """Write attempts, and take at most so many due deliveries for each channel, or have them offered."""
    begun = start_attempts(tx, [(policy, starts) for policy, starts, _, _ in batches])
    wanted = [(policy, limit, offered) for policy, _, limit, offered in batches if limit]
    taken = iter(offer_deliveries(tx, wanted))
    return [(ours, next(taken) if batch[2] else Claims()) for ours, batch in zip(begun, batches, strict=True)]


def start_attempts(tx: Transaction, batches: Sequence[tuple[ChannelPolicy, Sequence[Start]]]) -> list[list[bool]]:
    """Write an attempt and the frozen body for each, under a new lease; what was only offered is taken by that.

    False where something else has become of it, or the channel is held since: then a claim is given back.
    """
    begun: list[dict[str, Any]] = []
    bodies: list[dict[str, Any]] = []
    results = []
    for policy, starts in batches:
        may_go = _that_may_go(tx, policy, starts)
        ours = _start_offered(tx, policy, [start for start in may_go if start.offered_at is not None])
        ours |= _start_claimed(tx, policy, [start for start in may_go if start.offered_at is None])
        results.append([start.delivery_id in ours for start in starts])
        for start in starts:
            if start.delivery_id in ours:
                begun.append({"delivery_id": start.delivery_id, "n": start.attempts + 1, "started_at": tx.now})
                if start.attempts == 0:
                    bodies.append({"delivery_id": start.delivery_id, "body": start.body})
    _BEGIN_ATTEMPTS.run(tx.connection, begun)
    _KEEP_BODIES.run(tx.connection, bodies)
    return results


def _start_offered(tx: Transaction, policy: ChannelPolicy, starts: Sequence[Start]) -> set[str]:
    """Take those that still wait for their first attempt, and begin it; return which."""
    fresh = [each.delivery_id for each in starts if each.offered_at and tx.now - each.offered_at < _OFFER_HOLDS]
    if not fresh:
        return set()
    lease = {"to_owner": tx.owner, "to_lease_until": tx.now + timedelta(seconds=policy.lease)}
    rows = _TAKE_AND_START.all(tx.connection, lease | {"to_first_attempt_at": tx.now}, keys=fresh)
    tx.move("deliveries", DeliveryState.PENDING, DeliveryState.SENDING, len(rows))
    return {row.id for row in rows}


def _start_claimed(tx: Transaction, policy: ChannelPolicy, starts: Sequence[Start]) -> set[str]:
    """Begin the next attempt at those that are claimed and ours, under a new lease; return which."""
    if not starts:
        return set()
    claimed = _CLAIMED.all(
        tx.connection, {"owner": tx.owner, "now": tx.now}, keys=[start.delivery_id for start in starts]
    )
    attempts_of = {row.id: row.attempts for row in claimed}
    ours = [start.delivery_id for start in starts if attempts_of.get(start.delivery_id) == start.attempts]
    lease = {"to_first_attempt_at": tx.now, "to_lease_until": tx.now + timedelta(seconds=policy.lease)}
    _START.run(tx.connection, lease, keys=ours)
    return set(ours)


def _that_may_go(tx: Transaction, policy: ChannelPolicy, starts: Sequence[Start]) -> Sequence[Start]:
    """Return those that the channel still takes; give back claims of others. A breaker that is open lets its probe pass."""
    if not starts:
        return starts
    channel = CHANNEL.first(tx.connection, {"key": tx.channel_id(policy.key)})
    blocked = channel.blocked_until is not None and channel.blocked_until > tx.now
    if not blocked and channel.broken_since is None:
        return starts
    held = {each.delivery_id for each in starts if blocked or not each.probe}
    if held:
        unclaim(tx, [[each.delivery_id for each in starts if each.offered_at is None and each.delivery_id in held]])
        tx.due_channels.add(policy.key)
    return [each for each in starts if each.delivery_id not in held]


def settle_outcomes(tx: Transaction, batches: Sequence[tuple[ChannelPolicy, Sequence[Outcome]]]) -> list[list[Settled]]:
    """Write the outcomes of attempts, and all that follows: obligations, alerts, read marks, the channel, the group."""
    ids = [outcome.delivery_id for _, outcomes in batches for outcome in outcomes]
    unsettled = {row.id: row for row in _UNSETTLED.all(tx.connection, keys=ids)}
    endings = Endings(tx)
    by_channel: dict[ChannelKey, tuple[ChannelPolicy, list[Outcome]]] = {}
    freeing: set[ChannelKey] = set()  # there may be more to send now than before
    for policy, outcomes in batches:
        counted = by_channel.setdefault(policy.key, (policy, []))[1]
        for outcome in outcomes:
            row = unsettled.get(outcome.delivery_id)
            # A success is the truth, whoever has the delivery now; a failure is news only of the last attempt.
            if row is not None and (outcome.verdict is None or outcome.attempt == row.attempts):
                endings.add(outcome, row)
                counted.append(outcome)
                if outcome.verdict is not None or row.group_key:
                    freeing.add(policy.key)
                del unsettled[outcome.delivery_id]
    for policy, counted in by_channel.values():
        if update_channel(tx, policy, counted) or policy.key in freeing:
            tx.due_channels.add(policy.key)
    endings.write()
    endings.stand_in({tx.channel_id(policy.key): policy.fallbacks for policy, _ in by_channel.values()})
    latencies = endings.settle_alerts()
    return [
        [Settled(latencies=tuple(latencies.get(outcome.delivery_id, ()))) for outcome in outcomes]
        for _, outcomes in batches
    ]
