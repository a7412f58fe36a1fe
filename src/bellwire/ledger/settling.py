"""Attempts and their outcomes: written before the send and after it; what follows from an outcome follows at once."""

from __future__ import annotations

import itertools
from collections import defaultdict
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import bindparam, select

from bellwire.errors import Verdict
from bellwire.ledger.marking import insert_marks
from bellwire.ledger.tables import (
    SENDING,
    UNFINISHED,
    accounts,
    alerts,
    attempts,
    channels,
    deliveries,
    delivery_bodies,
    groups,
    obligations,
)
from bellwire.ledger.transaction import in_chunks
from bellwire.model import AccountKey, AlertState, DeliveryState, ObligationState
from bellwire.ports import Settled
from bellwire.states import may_mark, settle

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from bellwire.ledger.transaction import Transaction
    from bellwire.ledger.types import AnyRow
    from bellwire.model import ChannelKey
    from bellwire.ports import ChannelPolicy, Outcome, Start

# Statements are made once: making them costs more than running them.

BREAKER_THRESHOLD = 5
"""So many failures in a row open a channel's breaker."""

_START = (
    deliveries.update()
    .where(deliveries.c.id == bindparam("key"))
    .values(attempts=bindparam("to_attempts"), doubtful=True, first_attempt_at=bindparam("to_first_attempt_at"))
)
_END_ATTEMPT = (
    attempts.update()
    .where(attempts.c.delivery_id == bindparam("key"), attempts.c.n == bindparam("number"))
    .values(
        ended_at=bindparam("to_ended_at"),
        outcome=bindparam("to_outcome"),
        reason=bindparam("to_reason"),
        detail=bindparam("to_detail"),
    )
)
_FINISH = (
    deliveries.update()
    .where(deliveries.c.id == bindparam("key"))
    .values(
        state=bindparam("to_state"),
        doubtful=bindparam("to_doubtful"),
        due_at=bindparam("to_due_at"),
        finished_at=bindparam("to_finished_at"),
        reason=bindparam("to_reason"),
        owner=None,
        lease_until=None,
    )
)
_SETTLE_OBLIGATIONS = (
    obligations.update()
    .where(obligations.c.delivery_id == bindparam("key"), obligations.c.state == ObligationState.OPEN)
    .values(state=bindparam("to_state"), reason=bindparam("to_reason"))
)
_SETTLE_ALERT = (
    alerts.update()
    .where(alerts.c.id == bindparam("key"))
    .values(state=bindparam("to_state"), settled_at=bindparam("to_settled_at"))
)
_OWED = (
    select(
        obligations.c.alert_id,
        obligations.c.delivery_id,
        obligations.c.state.label("obligation"),
        alerts.c.state,
        alerts.c.mark,
        alerts.c.markable,
        alerts.c.account_id,
        alerts.c.upstream_id,
        alerts.c.created_at,
        accounts.c.name,
        accounts.c.base_url,
    )
    .select_from(
        obligations.join(alerts, alerts.c.id == obligations.c.alert_id).join(
            accounts, accounts.c.id == alerts.c.account_id
        )
    )
    .where(obligations.c.alert_id.in_(bindparam("keys", expanding=True)))
    .order_by(obligations.c.alert_id)
)
_CHANNEL = select(channels).where(channels.c.id == bindparam("key"))
_CLAIMED = select(deliveries).where(
    SENDING, deliveries.c.id.in_(bindparam("keys", expanding=True)), deliveries.c.owner == bindparam("owner")
)
_MEMBERS = select(obligations.c.alert_id).where(obligations.c.delivery_id.in_(bindparam("keys", expanding=True)))
_DROP_BODIES = delivery_bodies.delete().where(delivery_bodies.c.delivery_id.in_(bindparam("keys", expanding=True)))


def start_attempts(tx: Transaction, batches: Sequence[Sequence[Start]]) -> list[list[bool]]:
    """Write an attempt and the frozen body for each; False where the claim is no longer ours."""
    ids = [start.delivery_id for batch in batches for start in batch]
    mine = {row.id: row for row in _claimed(tx, ids)}
    starts = [start for batch in batches for start in batch if start.delivery_id in mine]
    if starts:
        numbers = {start.delivery_id: mine[start.delivery_id].attempts + 1 for start in starts}
        tx.connection.execute(
            _START,
            [
                {
                    "key": each,
                    "to_attempts": number,
                    "to_first_attempt_at": mine[each].first_attempt_at or tx.now,
                }
                for each, number in numbers.items()
            ],
        )
        tx.connection.execute(
            attempts.insert(),
            [{"delivery_id": each, "n": number, "started_at": tx.now} for each, number in numbers.items()],
        )
        if new := [start for start in starts if mine[start.delivery_id].attempts == 0]:
            tx.connection.execute(
                delivery_bodies.insert(), [{"delivery_id": start.delivery_id, "body": start.body} for start in new]
            )
    return [[start.delivery_id in mine for start in batch] for batch in batches]


def settle_outcomes(tx: Transaction, batches: Sequence[tuple[ChannelPolicy, Sequence[Outcome]]]) -> list[list[Settled]]:
    """Write the outcomes of attempts, and all that follows: obligations, alerts, read marks, the channel, the group."""
    ids = [outcome.delivery_id for _, outcomes in batches for outcome in outcomes]
    mine = {row.id: row for row in _claimed(tx, ids)}
    changes = Changes(tx)
    by_channel: dict[ChannelKey, tuple[ChannelPolicy, list[Outcome]]] = {}
    for policy, outcomes in batches:
        ours = [outcome for outcome in outcomes if outcome.delivery_id in mine]
        for outcome in ours:
            changes.add(outcome, mine[outcome.delivery_id])
        by_channel.setdefault(policy.key, (policy, []))[1].extend(ours)
    for policy, ours in by_channel.values():
        _update_channel(tx, policy, ours)
        tx.due_channels.add(policy.key)
    changes.write()
    latencies = changes.settle_alerts()
    return [
        [Settled(latencies=tuple(latencies.get(outcome.delivery_id, ()))) for outcome in outcomes]
        for _, outcomes in batches
    ]


def _claimed(tx: Transaction, ids: Sequence[str]) -> list[AnyRow]:
    rows: list[AnyRow] = []
    for some in in_chunks(ids):
        rows.extend(tx.connection.execute(_CLAIMED, {"keys": some, "owner": tx.owner}))
    return rows


class Changes:
    """What a batch of outcomes changes, gathered so that each table is written once: `add`, `write`, `settle_alerts`."""

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx
        self._attempts: list[dict[str, Any]] = []
        self._deliveries: list[dict[str, Any]] = []
        self._obligations: list[dict[str, Any]] = []
        self._sent: set[str] = set()
        self._grouped: list[tuple[AnyRow, bool]] = []

    def add(self, outcome: Outcome, row: AnyRow) -> None:
        """Gather what one outcome changes."""
        now = self._tx.now
        state = _state_after(outcome)
        self._attempts.append(
            {
                "key": outcome.delivery_id,
                "number": row.attempts,
                "to_ended_at": now,
                "to_outcome": outcome.verdict or "sent",
                "to_reason": outcome.reason or None,
                "to_detail": outcome.detail or None,
            }
        )
        self._finish(row, state, outcome.reason, due_at=outcome.due_at, doubtful=outcome.verdict == Verdict.IN_DOUBT)

    def kill(self, row: AnyRow, reason: str) -> None:
        """Gather what it changes that a waiting delivery can never be sent."""
        self._finish(row, DeliveryState.DEAD, reason)

    def _finish(
        self, row: AnyRow, state: DeliveryState, reason: str, *, due_at: datetime | None = None, doubtful: bool = False
    ) -> None:
        finished = state is not DeliveryState.PENDING
        self._deliveries.append(
            {
                "key": row.id,
                "to_state": state,
                "to_doubtful": doubtful and not finished,
                "to_due_at": due_at or row.due_at,
                "to_finished_at": self._tx.now if finished else None,
                "to_reason": reason or None,
            }
        )
        self._tx.move("deliveries", row.state, state)
        if finished:
            sent = state is DeliveryState.SENT
            to_state = ObligationState.SENT if sent else ObligationState.DEAD
            self._obligations.append({"key": row.id, "to_state": to_state, "to_reason": reason or None})
            if sent:
                self._sent.add(row.id)
            if row.group_key:
                self._grouped.append((row, sent))

    def write(self) -> None:
        """Write them."""
        connection = self._tx.connection
        if self._attempts:
            connection.execute(_END_ATTEMPT, self._attempts)
        if self._deliveries:
            connection.execute(_FINISH, self._deliveries)
        if self._obligations:
            connection.execute(_SETTLE_OBLIGATIONS, self._obligations)
        for some in in_chunks(sorted(self._sent)):
            # What was sent will not be sent again; what died is kept whole.
            connection.execute(_DROP_BODIES, {"keys": some})
        for row, sent in self._grouped:
            _advance_group(self._tx, row, sent=sent)

    def settle_alerts(self) -> dict[str, list[float]]:
        """Bring the alerts of finished deliveries to the state that their obligations say, and owe their read marks.

        Returns for each sent delivery the seconds from the vendor's creation, an alert each.
        """
        latencies: dict[str, list[float]] = defaultdict(list)
        updates: list[dict[str, Any]] = []
        marks: list[dict[str, Any]] = []
        for alert_id, rows in _owed(self._tx, [row["key"] for row in self._obligations]):
            alert, states = rows[0], [row.obligation for row in rows]
            state = settle(states)
            if state is not alert.state:
                settled_at = None if state is AlertState.IN_FLIGHT else self._tx.now
                updates.append({"key": alert_id, "to_state": state, "to_settled_at": settled_at})
                self._tx.move("alerts", alert.state, state)
            if alert.markable and may_mark(alert.mark, states):
                marks.append({"alert_id": alert_id, "account_id": alert.account_id, "upstream_id": alert.upstream_id})
                self._tx.due_accounts.add(AccountKey(name=alert.name, base_url=alert.base_url))
            for row in rows:
                if row.delivery_id in self._sent:
                    latencies[row.delivery_id].append((self._tx.now - alert.created_at).total_seconds())
        if updates:
            self._tx.connection.execute(_SETTLE_ALERT, updates)
        insert_marks(self._tx, marks)
        return latencies


def _owed(tx: Transaction, delivery_ids: Sequence[str]) -> Iterator[tuple[str, list[AnyRow]]]:
    """Yield each alert of these deliveries with a row for each of its obligations, to whatever channel."""
    alert_ids: set[str] = set()
    for some in in_chunks(delivery_ids):
        alert_ids.update(tx.connection.execute(_MEMBERS, {"keys": some}).scalars())
    for some in in_chunks(sorted(alert_ids)):
        rows = tx.connection.execute(_OWED, {"keys": some})
        for alert_id, of_alert in itertools.groupby(rows, key=lambda row: row.alert_id):
            yield alert_id, list(of_alert)


def _advance_group(tx: Transaction, row: AnyRow, *, sent: bool) -> None:
    """Let the next delivery of the group go, no sooner than the group's interval after what was sent."""
    if sent:
        key = {"channel_id": row.channel_id, "group_key": row.group_key}
        known = tx.connection.execute(select(groups.c.last_message_at).filter_by(**key)).first()
        values: dict[str, Any] = {"last_message_at": tx.now}
        tx.connection.execute(
            groups.update().filter_by(**key).values(values) if known else groups.insert().values(key | values)
        )
    waiting = (
        select(deliveries)
        .where(UNFINISHED, deliveries.c.channel_id == row.channel_id, deliveries.c.group_key == row.group_key)
        .order_by(deliveries.c.id)
        .limit(1)
    )
    following = tx.connection.execute(waiting).first()
    if following is None:
        return
    interval = timedelta(seconds=row.group_interval if sent and following.part == 1 else 0)
    values = {"head": True, "due_at": max(following.due_at, tx.now + interval)}
    tx.connection.execute(deliveries.update().where(deliveries.c.id == following.id).values(values))


def _update_channel(tx: Transaction, policy: ChannelPolicy, outcomes: Sequence[Outcome]) -> None:
    """Open or close the channel's breaker, and keep what the other side asked of all of the channel."""
    channel_id = tx.channel_id(policy.key)
    row = tx.connection.execute(_CHANNEL, {"key": channel_id}).one()
    before = _ChannelState(row.failures, row.blocked_until, row.broken_since, row.last_error, row.remote)
    after = before
    for outcome in outcomes:
        after = _after(after, outcome, policy, tx.now)
    if after != before:
        tx.connection.execute(channels.update().where(channels.c.id == channel_id).values(after._asdict()))


class _ChannelState(NamedTuple):
    """The part of a channel's row that outcomes change."""

    failures: int
    blocked_until: datetime | None
    broken_since: datetime | None
    last_error: str | None
    remote: str


def _after(state: _ChannelState, outcome: Outcome, policy: ChannelPolicy, now: datetime) -> _ChannelState:
    remote = outcome.remote or state.remote
    if outcome.verdict is None or outcome.verdict == Verdict.MESSAGE_FAULT:
        # It answered: the channel works. A pause that was asked for meanwhile still holds.
        return _ChannelState(0, state.blocked_until, None, None, remote)
    failures = state.failures + 1
    if outcome.verdict == Verdict.CHANNEL_FAULT:
        failures = max(failures, BREAKER_THRESHOLD)
    blocked, broken = outcome.blocked_until, state.broken_since
    if failures >= BREAKER_THRESHOLD:
        doublings = min(failures - BREAKER_THRESHOLD, 32)
        pause = now + timedelta(seconds=min(policy.max_backoff, policy.initial_backoff * 2**doublings))
        blocked, broken = max(blocked or pause, pause), broken or now
    latest = max((each for each in (blocked, state.blocked_until) if each), default=None)
    return _ChannelState(failures, latest, broken, f"{outcome.reason}: {outcome.detail}", remote)


def _state_after(outcome: Outcome) -> DeliveryState:
    if outcome.verdict is None:
        return DeliveryState.SENT
    return DeliveryState.DEAD if outcome.dead else DeliveryState.PENDING
