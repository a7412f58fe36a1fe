"""Dead letters: deliveries that someone has sent again, sends elsewhere, or gives up.

A replay is a new delivery that knows its origin. Of a dead delivery it takes over what is owed: the obligations are open
in it again, and the old one counts as replayed. Sent to another receiver, the obligations stay dead until each channel of
that receiver has confirmed the alert, and are covered then: as with a fallback. A delivery that was sent, or that a fallback
has covered, may be sent again: that owes nothing, so nothing of the alert's settlement depends on it.

An order is judged before anything is done: what it names wrongly leaves all of it undone.
"""

from __future__ import annotations

import math
from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import and_, bindparam, exists, func, select, text

from bellwire.config.nearest import suggestion
from bellwire.ledger.acting import note_action
from bellwire.ledger.resending import part_of, sent_members
from bellwire.ledger.settlement import settle_alerts
from bellwire.ledger.standing_in import Member, begin, cover, owed_by, stand_in, unmet
from bellwire.ledger.tables import (
    DEAD,
    alert_events,
    channels,
    deliveries,
    delivery_bodies,
    obligations,
)
from bellwire.ledger.transaction import in_chunks
from bellwire.ledger.withdrawing import end_empty
from bellwire.model import ChannelKey, DeliveryKind, DeliveryState, ObligationState, Suppression
from bellwire.records import Fallback, Letter, Letters, Replay

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bellwire.ledger.transaction import Transaction
    from bellwire.ledger.types import AnyRow
    from bellwire.records import ChannelPolicy, LetterOrder

    Receivers = Mapping[str, tuple[ChannelPolicy, ...]]
    """Every receiver of the configuration, with its channels."""

MOST = 200
"""Deliveries that one part of an order takes: bounds the transaction, others wait for it."""

_WITH_CHANNEL = select(deliveries, channels.c.receiver, channels.c.kind.label("channel"), channels.c.name).join(
    channels, channels.c.id == deliveries.c.channel_id
)
_DEAD = text("deliveries.state = 'dead'")  # in the words of the index, beside a table that has no state
_TAKE_OVER = (
    obligations.update()
    .where(obligations.c.alert_id == bindparam("alert"), obligations.c.channel_id == bindparam("channel"))
    .values(state=ObligationState.OPEN, reason=None, detail=None, delivery_id=bindparam("to_delivery_id"))
)
_HAS_IT = frozenset({ObligationState.OPEN, ObligationState.SENT})
_IS_NOT_DEAD = {
    DeliveryState.PENDING: "still waits to be sent",
    DeliveryState.SENDING: "is being sent",
    DeliveryState.SENT: "was sent",
    DeliveryState.MERGED: "went into a digest: name that one",
    DeliveryState.SUPPRESSED: "is owed no more",
    DeliveryState.REPLAYED: "was replayed: name its replay",
}


class _Plan(NamedTuple):
    """What to do about one delivery: its alerts, and for each channel which of them a new delivery is to name.

    ``owes`` is False for what was sent before: it is sent again, and nothing more.
    """

    row: AnyRow
    members: list[Member]
    to: list[tuple[ChannelPolicy, list[Member]]]
    owes: bool


def replay_letters(tx: Transaction, questions: Sequence[tuple[LetterOrder, Receivers]]) -> list[Letters]:
    """Replay what each order names, of all dead ones a part."""
    return [_replay(tx, order, receivers) for order, receivers in questions]


def abandon_letters(tx: Transaction, orders: Sequence[LetterOrder]) -> list[Letters]:
    """Give up what each order names: nothing of it is owed any more, and its alerts may be marked as read."""
    return [_abandon(tx, order) for order in orders]


def _replay(tx: Transaction, order: LetterOrder, receivers: Receivers) -> Letters:
    if order.to is not None and order.to not in receivers:
        return Letters(misnamed=(f"there is no receiver {order.to}: {suggestion(order.to, receivers)}",))
    if misnamed := _misnamed(tx, order, receivers):
        return Letters(misnamed=misnamed)
    until = order.until or _last_dead(tx)
    rows, unknown = _chosen(tx, order, until)
    if unknown:
        return Letters(unknown=unknown)
    judged = [(row, _plan(tx, row, order, receivers)) for row in rows]
    refused = tuple(f"{row.id} {plan}" for row, plan in judged if isinstance(plan, str))
    if refused and order.deliveries is not None:
        return Letters(refused=refused)
    plans = [plan for _, plan in judged if isinstance(plan, _Plan)]
    letters = tuple(_preview(plan) for plan in plans)
    if not order.dry:
        # Judged anew each time: two of them may name the same alert, which the receiver gets once.
        again = (_plan(tx, _reread(tx, plan.row), order, receivers) for plan in plans)
        letters = tuple(_carry_out(tx, plan, order) for plan in again if isinstance(plan, _Plan))
        _note(tx, "delivery_replayed", letters, order)
    return Letters(letters=letters, skipped=len(refused), after=_after(order, rows), until=until)


def _abandon(tx: Transaction, order: LetterOrder) -> Letters:
    until = order.until or _last_dead(tx)
    rows, unknown = _chosen(tx, order, until)
    if unknown:
        return Letters(unknown=unknown)
    if refused := [f"{row.id} {_IS_NOT_DEAD[row.state]}" for row in rows if row.state is not DeliveryState.DEAD]:
        return Letters(refused=tuple(refused))
    members = _members(tx, rows)
    letters = tuple(_letter(row, members.get(row.id, []), ()) for row in rows)
    if not order.dry and rows:
        ids = [row.id for row in rows]
        for some in in_chunks(ids):
            given_up = {"state": ObligationState.SUPPRESSED, "reason": Suppression.ABANDONED.value}
            dead = and_(obligations.c.delivery_id.in_(some), obligations.c.state == ObligationState.DEAD)
            ended = tx.connection.execute(obligations.update().where(dead).values(given_up))
            tx.suppressed[Suppression.ABANDONED.value] += ended.rowcount
        end_empty(tx, ids, Suppression.ABANDONED.value)
        settle_alerts(tx, {member.alert_id for some in members.values() for member in some})
        _note(tx, "delivery_abandoned", letters, order)
    return Letters(letters=letters, after=_after(order, rows), until=until)


# --- choosing --------------------------------------------------------------------------------------------------------


def _misnamed(tx: Transaction, order: LetterOrder, receivers: Receivers) -> tuple[str, ...]:
    """Return what is wrong with the receiver whose dead ones are meant: those of one that is gone may be, too."""
    if order.receiver is None or order.receiver in receivers:
        return ()
    known = {*receivers, *tx.connection.execute(select(channels.c.receiver).distinct()).scalars()}
    if order.receiver in known:
        return ()
    return (f"there is no receiver {order.receiver}: {suggestion(order.receiver, known)}",)


def _chosen(tx: Transaction, order: LetterOrder, until: str) -> tuple[list[AnyRow], tuple[str, ...]]:
    """Return the deliveries that are meant, the oldest first, and what is wrong with ids that name none."""
    if order.deliveries is not None:
        ids = sorted({each.upper() for each in order.deliveries})
        rows = [
            row
            for some in in_chunks(ids)
            for row in tx.connection.execute(_WITH_CHANNEL.where(deliveries.c.id.in_(some)).order_by(deliveries.c.id))
        ]
        known = {row.id for row in rows}
        return rows, tuple(f"there is no delivery {each}" for each in ids if each not in known)
    query = _WITH_CHANNEL.where(_DEAD, deliveries.c.id > order.after, deliveries.c.id <= until)
    if order.receiver is not None:
        query = query.where(channels.c.receiver == order.receiver)
    if order.since is not None:
        query = query.where(deliveries.c.finished_at >= tx.now - timedelta(seconds=order.since))
    return list(tx.connection.execute(query.order_by(deliveries.c.id).limit(MOST))), ()


def _reread(tx: Transaction, row: AnyRow) -> AnyRow:
    return tx.connection.execute(_WITH_CHANNEL.where(deliveries.c.id == row.id)).one()


def _last_dead(tx: Transaction) -> str:
    """Return the greatest id that is dead now: what dies again is not taken again by the same order."""
    return tx.connection.execute(select(func.max(deliveries.c.id)).where(DEAD)).scalar_one_or_none() or ""


def _after(order: LetterOrder, rows: Sequence[AnyRow]) -> str | None:
    return rows[-1].id if order.deliveries is None and len(rows) == MOST else None


def _members(tx: Transaction, rows: Sequence[AnyRow]) -> dict[str, list[Member]]:
    """Return what the dead ones among these died with."""
    members: dict[str, list[Member]] = {}
    for member in unmet(tx, [row.id for row in rows if row.state is DeliveryState.DEAD]):
        members.setdefault(member.delivery_id, []).append(member)
    return members


# --- judging ---------------------------------------------------------------------------------------------------------


def _plan(tx: Transaction, row: AnyRow, order: LetterOrder, receivers: Receivers) -> _Plan | str:
    """Return what to do about a delivery, or why nothing can be done."""
    covered = row.state is DeliveryState.SUPPRESSED and row.reason == ObligationState.COVERED
    if row.state not in {DeliveryState.DEAD, DeliveryState.SENT} and not covered:
        return _IS_NOT_DEAD[row.state]
    elsewhere = order.to is not None and order.to != row.receiver
    targets = receivers[order.to] if elsewhere and order.to else _own(row, receivers)
    if not targets:
        return f"is of {_key(row)}, which is in the configuration no more: --to says who gets it instead"
    members = _members(tx, [row]).get(row.id, [])
    if not members:
        return _resend(tx, row, targets)
    if not elsewhere:
        return _Plan(row, members, [(targets[0], members)], owes=True)
    has = owed_by(tx, {member.alert_id for member in members})
    to = []
    for policy in targets:
        channel_id = tx.channel_id(policy.key)
        owed = {member: has.get((member.alert_id, channel_id)) for member in members}
        to.append((policy, [member for member, it in owed.items() if it is None or it.state not in _HAS_IT]))
    return _Plan(row, members, to, owes=True)


def _resend(tx: Transaction, row: AnyRow, targets: Sequence[ChannelPolicy]) -> _Plan | str:
    """Return how to send again what owes nothing any more: itself, or what it was sent again for."""
    for delivery_id in (row.id, row.origin):
        if members := sent_members(tx, delivery_id):
            return _Plan(row, members, [(policy, members) for policy in targets], owes=False)
    return "cannot be sent again: what its alerts said is no longer kept"


def _own(row: AnyRow, receivers: Receivers) -> list[ChannelPolicy]:
    return [policy for policy in receivers.get(row.receiver, ()) if policy.key == _key(row)]


def _key(row: AnyRow) -> ChannelKey:
    return ChannelKey(receiver=row.receiver, kind=row.channel, name=row.name)


# --- doing -----------------------------------------------------------------------------------------------------------


def _preview(plan: _Plan) -> Letter:
    to = tuple(Replay(id="", key=policy.key, alerts=len(members)) for policy, members in plan.to if members)
    return _letter(plan.row, plan.members, to)


def _carry_out(tx: Transaction, plan: _Plan, order: LetterOrder) -> Letter:
    if not plan.owes:
        again = [each for policy, members in plan.to for each in _send_again(tx, plan.row, policy, members)]
        return _letter(plan.row, plan.members, tuple(again))
    if order.to is not None and order.to != plan.row.receiver:
        stand_in(tx, Fallback(receiver=order.to, channels=tuple(policy.key for policy, _ in plan.to)), plan.members)
    replays = tuple(_take_over(tx, plan.row, policy, members) for policy, members in plan.to if members)
    alert_ids = {member.alert_id for member in plan.members}
    settle_alerts(tx, alert_ids | cover(tx, alert_ids))
    return _letter(plan.row, plan.members, replays)


def _take_over(tx: Transaction, row: AnyRow, policy: ChannelPolicy, members: Sequence[Member]) -> Replay:
    """Begin a delivery that owes these alerts to the channel, whatever became of it there before."""
    channel_id = tx.channel_id(policy.key)
    before = owed_by(tx, {member.alert_id for member in members})
    replay_id = begin(tx, policy.key, row, len(members), DeliveryKind.REPLAY)
    known = [before[member.alert_id, channel_id] for member in members if (member.alert_id, channel_id) in before]
    if known:
        taken = [{"alert": it.alert_id, "channel": channel_id, "to_delivery_id": replay_id} for it in known]
        tx.connection.execute(_TAKE_OVER, taken)
        _leave_behind(tx, sorted({it.delivery_id for it in known}))
    new = {"channel_id": channel_id, "delivery_id": replay_id, "state": ObligationState.OPEN}
    if rows := [{"alert_id": each.alert_id} | new for each in members if (each.alert_id, channel_id) not in before]:
        tx.connection.execute(obligations.insert(), rows)
    return Replay(id=replay_id, key=policy.key, alerts=len(members))


def _leave_behind(tx: Transaction, delivery_ids: Sequence[str]) -> None:
    """Let those of these deliveries count as replayed that are dead, and nothing of theirs is any more."""
    for some in in_chunks(delivery_ids):
        left = exists().where(obligations.c.delivery_id == deliveries.c.id, obligations.c.state == ObligationState.DEAD)
        empty = select(deliveries.c.id).where(
            deliveries.c.id.in_(some), deliveries.c.state == DeliveryState.DEAD, ~left
        )
        ids = list(tx.connection.execute(empty).scalars())
        replayed = deliveries.update().where(deliveries.c.id.in_(ids))
        tx.connection.execute(replayed.values(state=DeliveryState.REPLAYED))
        tx.connection.execute(delivery_bodies.delete().where(delivery_bodies.c.delivery_id.in_(ids)))
        tx.move("deliveries", DeliveryState.DEAD, DeliveryState.REPLAYED, len(ids))


def _send_again(tx: Transaction, row: AnyRow, policy: ChannelPolicy, members: Sequence[Member]) -> list[Replay]:
    """Begin as many deliveries as the messages take that name these alerts and owe none of them."""
    parts = math.ceil(len(members) / policy.max_alerts)
    group_key = f"{DeliveryKind.REPLAY} {tx.new_id()}" if parts > 1 else ""  # keeps the parts in order
    made = []
    for part in range(1, parts + 1):
        size = len(part_of(members, part, parts))
        values = {"origin": members[0].delivery_id, "part": part, "parts": parts, "head": part == 1}
        values["group_key"] = group_key
        replay_id = begin(tx, policy.key, row, len(members), DeliveryKind.REPLAY, **values)
        made.append(Replay(id=replay_id, key=policy.key, alerts=size))
    if row.state is DeliveryState.DEAD:  # it had itself been sent again
        _leave_behind(tx, [row.id])
    return made


# --- telling ---------------------------------------------------------------------------------------------------------


def _letter(row: AnyRow, members: Sequence[Member], replays: tuple[Replay, ...]) -> Letter:
    return Letter(
        id=row.id,
        key=_key(row),
        reason=row.reason or "",
        alerts=tuple(member.alert_id for member in members),
        replays=replays,
    )


def _note(tx: Transaction, what: str, letters: Sequence[Letter], order: LetterOrder) -> None:
    """Keep who did what: once by itself, and with each alert."""
    if not letters:
        return
    done = {letter.id: [replay.id for replay in letter.replays] for letter in letters}
    note_action(tx, order.who, what, {"deliveries": done, "to": order.to}, order.how)
    by = {"by": order.who, "how": order.how} if order.how else {"by": order.who}
    events = [
        {
            "alert_id": alert_id,
            "at": tx.now,
            "kind": what,
            "detail": by | {"delivery": letter.id, "replays": done[letter.id]},
        }
        for letter in letters
        for alert_id in letter.alerts
    ]
    if events:
        tx.connection.execute(alert_events.insert(), events)
