"""What people do about a message that they have in front of them: have its items marked as read, silence what is like them.

Whatever they do is kept in `actions`, and with each alert of the message.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, select

from bellwire.ledger.acting import note_action
from bellwire.ledger.alerts import HEAD_COLUMNS, alert_of_head
from bellwire.ledger.marking import insert_marks, revive_marks
from bellwire.ledger.silencing import active_silences, add_silences
from bellwire.ledger.tables import accounts, alert_events, alerts, channels, deliveries, obligations, read_marks
from bellwire.ledger.transaction import in_chunks
from bellwire.model import AccountKey, AlertState, ChannelKey, DeliveryKind, MarkState, ObligationState

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from sqlalchemy import Connection

    from bellwire.ledger.silences import Ask
    from bellwire.ledger.transaction import Transaction
    from bellwire.ledger.types import AnyRow
    from bellwire.ledger.writer import Writer
    from bellwire.model import Alert
    from bellwire.records import NewSilence

MARKED, SILENCED = "read_mark_asked", "silence_asked"
"""The kinds of an alert's events that say what someone did about a message with it."""

_MOST = 1_000  # alerts of one message
_AS_GOOD = timedelta(minutes=1)
_SETTLED = frozenset({ObligationState.SENT, ObligationState.COVERED})

_DELIVERY = (
    select(deliveries.c.id, deliveries.c.kind, deliveries.c.origin, channels.c.receiver, channels.c.name)
    .add_columns(channels.c.kind.label("channel"))
    .join(channels, channels.c.id == deliveries.c.channel_id)
    .where(deliveries.c.id == bindparam("key"))
)
_MEMBERS = (
    select(*HEAD_COLUMNS, alerts.c.account_id, alerts.c.markable, alerts.c.state, accounts.c.base_url)
    .select_from(
        obligations.join(alerts, alerts.c.id == obligations.c.alert_id).join(
            accounts, accounts.c.id == alerts.c.account_id
        )
    )
    .where(obligations.c.delivery_id == bindparam("key"))
    .order_by(alerts.c.id)
    .limit(_MOST)
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Marked:
    """What came of asking for read marks: how many will be made, by account; the rest by why not."""

    asked: Mapping[str, int]
    before: int  # were marked, or about to be
    unmarkable: int  # their vendor gave no id
    unsettled: int  # they have reached nobody yet, or are dead


@dataclass(frozen=True, kw_only=True, slots=True)
class Deed:
    """That someone did something about a message."""

    kind: str
    at: datetime
    detail: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Order:
    """Someone's order about a message.

    ``user`` is an id of theirs where the message is, ``who`` what people read, and ``how`` the way they came in.
    """

    delivery: str
    who: str
    user: str = ""
    how: str = ""
    silences: tuple[NewSilence, ...] = ()


class Presses:
    """Messages of one ledger, as people act on them."""

    def __init__(self, writer: Writer, ask: Ask) -> None:
        self._writer = writer
        self._ask = ask

    async def look(self, delivery_id: str) -> tuple[ChannelKey, list[Alert]] | None:
        """Return where a message went, and the alerts that it named, without their contents; None if there is none."""
        return await self._ask(lambda connection: look(connection, delivery_id))

    async def deeds(self, delivery_id: str) -> list[Deed]:
        """Return what people did about a message, the oldest first."""
        return await self._ask(lambda connection: deeds_about(connection, delivery_id))

    async def mark_read(self, order: Order) -> Marked:
        """Owe the read marks of the message's items, whatever their accounts' policy: someone asked for them."""
        return await self._writer.run(ask_for_marks, order)

    async def silence(self, order: Order) -> list[str]:
        """Write the order's silences; return their ids."""
        return await self._writer.run(silence_all, order)


def look(connection: Connection, delivery_id: str) -> tuple[ChannelKey, list[Alert]] | None:
    """Return the delivery's channel and its alerts, None if there is no such delivery."""
    row = connection.execute(_DELIVERY, {"key": delivery_id}).one_or_none()
    if row is None:
        return None
    key = ChannelKey(receiver=row.receiver, kind=row.channel, name=row.name)
    return key, [alert_of_head(each) for each in _members(connection, delivery_id)]


def deeds_about(connection: Connection, delivery_id: str) -> list[Deed]:
    """Return what people did about a message: it is kept with each of its alerts, so the first one tells."""
    first = next(iter(_members(connection, delivery_id)), None)
    if first is None:
        return []
    told = select(alert_events).where(alert_events.c.alert_id == first.id, alert_events.c.kind.in_([MARKED, SILENCED]))
    rows = connection.execute(told.order_by(alert_events.c.id))
    return [
        Deed(kind=row.kind, at=row.at, detail=row.detail) for row in rows if row.detail.get("delivery") == delivery_id
    ]


def ask_for_marks(tx: Transaction, orders: Sequence[Order]) -> list[Marked]:
    """Owe the marks that each order asks for."""
    return [_ask_for_marks(tx, order) for order in orders]


def silence_all(tx: Transaction, orders: Sequence[Order]) -> list[list[str]]:
    """Write each order's silences."""
    return [_silence(tx, order) for order in orders]


def _members(connection: Connection, delivery_id: str) -> list[AnyRow]:
    """Return the alerts of a delivery; of a replay that owes nothing, those of what it repeats."""
    members = list(connection.execute(_MEMBERS, {"key": delivery_id}))
    if members:
        return members
    row = connection.execute(_DELIVERY, {"key": delivery_id}).one_or_none()
    if row is None or row.kind is not DeliveryKind.REPLAY or row.origin is None:
        return []
    return list(connection.execute(_MEMBERS, {"key": row.origin}))


def _ask_for_marks(tx: Transaction, order: Order) -> Marked:
    members = _members(tx.connection, order.delivery)
    settled = _settled(tx, [row.id for row in members])
    may = [row for row in members if row.markable and (row.id in settled or row.state is AlertState.SUPPRESSED)]
    known = _marks(tx, [row.id for row in may])
    wanted = [row for row in may if known.get(row.id) in (None, MarkState.FAILED)]
    insert_marks(tx, [{"alert_id": r.id, "account_id": r.account_id, "upstream_id": r.upstream_id} for r in wanted])
    revive_marks(tx, [row.id for row in wanted if row.id in known])
    tx.due_accounts |= {AccountKey(name=row.account, base_url=row.base_url) for row in wanted}
    asked: dict[str, int] = {}
    for row in wanted:
        asked[row.account] = asked.get(row.account, 0) + 1
    marked = Marked(
        asked=asked,
        before=len(may) - len(wanted),
        unmarkable=sum(not row.markable for row in members),
        unsettled=sum(bool(row.markable) for row in members) - len(may),
    )
    if wanted:
        _note(tx, order, MARKED, "alerts_marked", wanted, {})
    return marked


def _silence(tx: Transaction, order: Order) -> list[str]:
    active = {tuple(str(one) for one in each.matchers): each for each in active_silences(tx)}
    ids = []
    for wanted in order.silences:
        there = active.get(wanted.matchers)
        # pressed twice: the silence that it made the first time is as good
        ids += [there.id] if there and there.ends_at + _AS_GOOD >= wanted.ends_at else add_silences(tx, [wanted])
    members = _members(tx.connection, order.delivery)
    until = max((silence.ends_at for silence in order.silences), default=tx.wall)
    _note(tx, order, SILENCED, "alerts_silenced", members, {"silences": ids, "until": until.isoformat()})
    return ids


def _note(
    tx: Transaction, order: Order, kind: str, what: str, members: Sequence[AnyRow], more: Mapping[str, Any]
) -> None:
    about = {"delivery": order.delivery, "alerts": len(members), **more}
    note_action(tx, order.who, what, about, order.how)
    detail = {"by": order.who, "user": order.user, **about}
    rows = [{"alert_id": row.id, "at": tx.wall, "kind": kind, "detail": detail} for row in members]
    if rows:
        tx.connection.execute(alert_events.insert(), rows)


def _settled(tx: Transaction, alert_ids: Sequence[str]) -> set[str]:
    """Return those of the alerts that have reached someone."""
    found: set[str] = set()
    for some in in_chunks(alert_ids):
        query = select(obligations.c.alert_id).where(
            obligations.c.alert_id.in_(some), obligations.c.state.in_(_SETTLED)
        )
        found.update(tx.connection.execute(query).scalars())
    return found


def _marks(tx: Transaction, alert_ids: Sequence[str]) -> dict[str, MarkState]:
    known: dict[str, MarkState] = {}
    for some in in_chunks(alert_ids):
        query = select(read_marks.c.alert_id, read_marks.c.state).where(read_marks.c.alert_id.in_(some))
        known |= {row.alert_id: row.state for row in tx.connection.execute(query)}
    return known
