"""Repeats: an alert equal to one that was sent is suppressed and counted; while the first one is under way it waits.

- For each channel and key one alert *leads*. Until its obligation is settled, those like it wait, each in a delivery of
  its own that nobody can claim.
- The first one sent: what waits is suppressed, and so is what comes within the time that the rule says.
- The first one dead, or suppressed itself: the oldest of those that wait leads in its place, by the way that its route
  gives it then.
- How many were suppressed is said by the next message that goes out with the key.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import and_, bindparam, func, select

from bellwire.ledger.joining import Joining, destination_of
from bellwire.ledger.tables import deliveries, obligations, repeat_waiters, repeats
from bellwire.ledger.transaction import in_chunks
from bellwire.model import DeliveryState, ObligationState, Suppression

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from bellwire.ledger.transaction import Transaction
    from bellwire.ledger.types import AnyRow
    from bellwire.model import Repetition

_AT = and_(repeats.c.channel_id == bindparam("channel"), repeats.c.key == bindparam("of_key"))
_FIND = select(repeats).where(_AT)
_CHANGE = (
    repeats.update()
    .where(_AT)
    .values(
        alert_id=bindparam("to_alert"),
        sent_at=bindparam("to_sent_at"),
        until=bindparam("to_until"),
        within=bindparam("to_within"),
        suppressed=bindparam("to_suppressed"),
    )
)
_LEADING = (
    select(repeats, obligations.c.state, obligations.c.delivery_id)
    .join(
        obligations,
        and_(obligations.c.alert_id == repeats.c.alert_id, obligations.c.channel_id == repeats.c.channel_id),
    )
    .where(repeats.c.until.is_(None))
)
_LEADING_ALERTS = _LEADING.where(repeats.c.alert_id.in_(bindparam("keys", expanding=True)))
_LEADING_IN = (
    _LEADING.where(
        obligations.c.delivery_id.in_(bindparam("keys", expanding=True)), obligations.c.state == ObligationState.OPEN
    )
    .with_only_columns(obligations.c.delivery_id, func.sum(repeats.c.suppressed).label("number"))
    .group_by(obligations.c.delivery_id)
)
_ANY = select(repeats.c.key).limit(1)
_WAITING = (
    select(obligations.c.alert_id, obligations.c.delivery_id)
    .join(
        repeat_waiters,
        and_(
            repeat_waiters.c.alert_id == obligations.c.alert_id,
            repeat_waiters.c.channel_id == obligations.c.channel_id,
        ),
    )
    .where(
        repeat_waiters.c.channel_id == bindparam("channel"),
        repeat_waiters.c.key == bindparam("of_key"),
        obligations.c.state == ObligationState.OPEN,
    )
    .order_by(obligations.c.alert_id)
)
_FORGET_WAITERS = repeat_waiters.delete().where(
    repeat_waiters.c.channel_id == bindparam("channel"), repeat_waiters.c.key == bindparam("of_key")
)
_FORGET_WAITER = _FORGET_WAITERS.where(repeat_waiters.c.alert_id == bindparam("alert"))
_SETTLED_WELL = frozenset({ObligationState.SENT, ObligationState.COVERED})


class Earlier(NamedTuple):
    """The alert that one is like: ``sent`` if that is confirmed, else it is still under way."""

    alert_id: str
    sent: bool


@dataclass(slots=True)
class _Row:
    """A row of ``repeats`` as this transaction leaves it."""

    alert_id: str
    sent_at: datetime | None
    until: datetime | None
    within: float
    suppressed: int
    known: bool  # it is in the table


class Repeats:
    """What a batch of arrivals finds out and changes about repeats."""

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx
        self._rows: dict[tuple[int, str], _Row | None] = {}
        self._changed: set[tuple[int, str]] = set()
        self._waiters: list[dict[str, Any]] = []

    def earlier(self, channel_id: int, repetition: Repetition) -> Earlier | None:
        """Return the alert of which one like this would be the repeat now, None if it would lead."""
        row = self._row(channel_id, repetition.key)
        if row is None:
            return None
        if row.until is None:
            return Earlier(row.alert_id, sent=False)
        if row.sent_at is None or self._tx.now >= row.sent_at + timedelta(seconds=repetition.within):
            return None
        return Earlier(row.alert_id, sent=True)

    def lead(self, channel_id: int, repetition: Repetition, alert_id: str) -> None:
        """Let the alert lead."""
        row = self._row(channel_id, repetition.key)
        key = (channel_id, repetition.key)
        count, known = (row.suppressed, row.known) if row else (0, False)
        self._rows[key] = _Row(alert_id, None, None, repetition.within, count, known)
        self._changed.add(key)

    def wait(self, channel_id: int, repetition: Repetition, alert_id: str) -> None:
        """Let the alert wait for what becomes of the one that leads."""
        self._waiters.append({"channel_id": channel_id, "key": repetition.key, "alert_id": alert_id})

    def count(self, channel_id: int, repetition: Repetition) -> None:
        """Count one that is suppressed."""
        row = self._row(channel_id, repetition.key)
        assert row is not None
        assert row.sent_at is not None
        row.suppressed += 1
        until = row.sent_at + timedelta(seconds=repetition.within)
        row.until = until if row.until is None else max(row.until, until)
        self._changed.add((channel_id, repetition.key))

    def write(self) -> None:
        """Write what changed."""
        new = []
        for channel_id, key in self._changed:
            row = self._rows[channel_id, key]
            assert row is not None
            if row.known:
                _change(self._tx, channel_id, key, row)
                continue
            fixed = {"alert_id": row.alert_id, "sent_at": row.sent_at, "until": row.until, "within": row.within}
            new.append({"channel_id": channel_id, "key": key, "suppressed": row.suppressed} | fixed)
        if new:
            self._tx.connection.execute(repeats.insert(), new)
            self._tx.facts.repeats = True
        if self._waiters:
            self._tx.connection.execute(repeat_waiters.insert(), self._waiters)

    def _row(self, channel_id: int, key: str) -> _Row | None:
        if (channel_id, key) not in self._rows:
            found = self._tx.connection.execute(_FIND, {"channel": channel_id, "of_key": key}).one_or_none()
            self._rows[channel_id, key] = _known(found) if found else None
        return self._rows[channel_id, key]


def review(tx: Transaction, alert_ids: Collection[str]) -> set[str]:
    """Let follow what follows for repeats, now that obligations of these alerts may be settled.

    Returns the alerts of which an obligation was settled by that.
    """
    settled: set[str] = set()
    if not _any(tx):
        return settled
    for some in in_chunks(sorted(alert_ids)):
        for row in tx.connection.execute(_LEADING_ALERTS, {"keys": some}).all():
            if row.state in _SETTLED_WELL:
                settled |= _dismiss(tx, row)
            elif row.state is not ObligationState.OPEN:
                settled |= _pass_on(tx, row)
    return settled


def tally(tx: Transaction, delivery_ids: Sequence[str]) -> dict[str, int]:
    """Return how many suppressed repeats each of these deliveries has to speak for, and keep it with them."""
    if not _any(tx):
        return {}
    numbers = {
        row.delivery_id: int(row.number)
        for some in in_chunks(delivery_ids)
        for row in tx.connection.execute(_LEADING_IN, {"keys": some})
        if row.number
    }
    for delivery_id, number in numbers.items():
        tx.connection.execute(deliveries.update().where(deliveries.c.id == delivery_id).values(suppressed=number))
    return numbers


def _any(tx: Transaction) -> bool:
    """Return whether there are any repeats to think of: where no rule asks for it, nothing is looked for."""
    if tx.facts.repeats is None:
        tx.facts.repeats = tx.connection.execute(_ANY).first() is not None
    return tx.facts.repeats


def _dismiss(tx: Transaction, row: AnyRow) -> set[str]:
    """Suppress what waited for the first one: it is sent."""
    at = {"channel": row.channel_id, "of_key": row.key}
    waiting = tx.connection.execute(_WAITING, at).all()
    tx.connection.execute(_FORGET_WAITERS, at)
    unsaid = 0 if row.state is ObligationState.SENT else row.suppressed  # what was counted before, its message said
    until = tx.now + timedelta(seconds=row.within)
    after = _Row(row.alert_id, tx.now, until, row.within, unsaid + len(waiting), known=True)
    _change(tx, row.channel_id, row.key, after)
    _suppress(tx, row.channel_id, waiting, Suppression.REPEAT, row.alert_id)
    return {each.alert_id for each in waiting}


def _pass_on(tx: Transaction, row: AnyRow) -> set[str]:
    """Let the oldest of those that wait lead, if any may go: nothing came of the first one."""
    at = {"channel": row.channel_id, "of_key": row.key}
    muted: set[str] = set()
    while True:
        waiter = tx.connection.execute(_WAITING.limit(1), at).first()
        if waiter is None:
            tx.connection.execute(_FORGET_WAITERS, at)
            after = _Row(row.alert_id, None, tx.now, row.within, row.suppressed, known=True)
            break
        tx.connection.execute(_FORGET_WAITER, at | {"alert": waiter.alert_id})
        if _send(tx, row.channel_id, waiter):
            after = _Row(waiter.alert_id, None, None, row.within, row.suppressed, known=True)
            break
        _suppress(tx, row.channel_id, [waiter], Suppression.MUTED, None)
        muted.add(waiter.alert_id)
    _change(tx, row.channel_id, row.key, after)
    return muted


def _send(tx: Transaction, channel_id: int, waiter: AnyRow) -> bool:
    """Let one that waited go the way that its route gives it now; False if that is closed and drops it."""
    joining, destination = Joining(tx), destination_of(tx, waiter.alert_id, channel_id)
    placed = joining.place(channel_id, destination) if destination else joining.alone(channel_id)
    if placed is None:
        return False
    joining.write()
    tx.wake_all = True
    here = and_(obligations.c.alert_id == waiter.alert_id, obligations.c.channel_id == channel_id)
    tx.connection.execute(obligations.update().where(here).values(delivery_id=placed, reason=None))
    _finish(tx, [waiter.delivery_id], DeliveryState.MERGED, f"merged into {placed}")
    return True


def _change(tx: Transaction, channel_id: int, key: str, row: _Row) -> None:
    values = {
        "channel": channel_id,
        "of_key": key,
        "to_alert": row.alert_id,
        "to_sent_at": row.sent_at,
        "to_until": row.until,
        "to_within": row.within,
        "to_suppressed": row.suppressed,
    }
    tx.connection.execute(_CHANGE, values)


def _suppress(
    tx: Transaction, channel_id: int, waiting: Sequence[AnyRow], why: Suppression, detail: str | None
) -> None:
    for some in in_chunks([each.alert_id for each in waiting]):
        here = and_(obligations.c.alert_id.in_(some), obligations.c.channel_id == channel_id)
        suppressed = {"state": ObligationState.SUPPRESSED, "reason": why, "detail": detail}
        tx.connection.execute(obligations.update().where(here).values(suppressed))
    _finish(tx, [each.delivery_id for each in waiting], DeliveryState.SUPPRESSED, why)
    tx.suppressed[why] += len(waiting)


def _finish(tx: Transaction, delivery_ids: Sequence[str], state: DeliveryState, reason: str) -> None:
    for some in in_chunks(delivery_ids):
        finished = {"state": state, "finished_at": tx.now, "reason": reason}
        tx.connection.execute(deliveries.update().where(deliveries.c.id.in_(some)).values(finished))
    tx.move("deliveries", DeliveryState.PENDING, state, len(delivery_ids))


def _known(row: AnyRow) -> _Row:
    return _Row(row.alert_id, row.sent_at, row.until, row.within, row.suppressed, known=True)
