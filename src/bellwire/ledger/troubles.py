"""Bellwire's own troubles: when each began and ended, and who is told. They are no alerts, and cause none.

One trouble of a key is open at a time. Deaths and failed read marks are counted in ``totals`` where they happen, which
costs nothing more, and noted here: however many there are, they are one trouble a channel, or an account.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, or_, select

from bellwire.ledger.tables import (
    DEAD,
    OPEN_TROUBLE,
    WAITING,
    accounts,
    alerts,
    channels,
    deliveries,
    read_marks,
    totals,
    trouble_messages,
    troubles,
)
from bellwire.ledger.transaction import DIED, TALLY, UNMARKED
from bellwire.model import ChannelKey, DeliveryState, MarkState, TroubleKind
from bellwire.trouble_records import BrokenChannel, Tally, Telling, Trouble, TroubleSight

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from sqlalchemy import Connection

    from bellwire.ledger.transaction import Transaction
    from bellwire.ledger.types import AnyRow
    from bellwire.trouble_records import TroubleBegun, TroubleEnded, TroubleNews

_LOOKED_THROUGH = 200  # of what died last, for a reason to name
_BATCH = 500

_OPEN = select(troubles).where(OPEN_TROUBLE).order_by(troubles.c.id)


def key_of(kind: TroubleKind, subject: str) -> str:
    """Return what a trouble is about, as one text."""
    return f"{kind.value}:{subject}"


def subject_of(key: str) -> str:
    """Return the channel or account that a trouble's key names."""
    return key.partition(":")[2]


# --- looking -------------------------------------------------------------------------------------------------------


def look(connection: Connection) -> TroubleSight:
    """Return what the ledger knows of troubles: a few small tables, whatever waits and whatever died."""
    broken = select(channels).where(channels.c.broken_since.is_not(None))
    counted = select(totals).where(totals.c.name.startswith(TALLY), totals.c.number > 0)
    return TroubleSight(
        open=tuple(_trouble(row) for row in connection.execute(_OPEN)),
        broken=tuple(
            BrokenChannel(key=_channel_key(row), since=row.broken_since, error=row.last_error or "")
            for row in connection.execute(broken)
        ),
        tallies=tuple(_tallies(connection, connection.execute(counted.order_by(totals.c.name)).all())),
    )


def read_troubles(connection: Connection) -> list[dict[str, Any]]:
    """Return the troubles that are not over, or not told yet, the oldest first; ``untold`` counts messages that wait."""
    waiting = select(trouble_messages.c.trouble_id).where(WAITING)
    untold = Counter(connection.execute(waiting).scalars())
    shown = select(troubles).where(or_(OPEN_TROUBLE, troubles.c.id.in_(sorted(untold)[:_BATCH])))
    return [
        {
            "kind": row.kind,
            "subject": subject_of(row.key),
            "text": row.text,
            "detail": row.detail,
            "number": row.number,
            "began_at": row.began_at,
            "ended_at": row.ended_at,
            "untold": untold[row.id],
        }
        for row in connection.execute(shown.order_by(troubles.c.id))
    ]


def last_arrival(connection: Connection, account: str, base_url: str) -> datetime | None:
    """Return when the account's newest alert came, else when the account's first reading of its inbox ended."""
    row = connection.execute(select(accounts).filter_by(name=account, base_url=base_url)).one_or_none()
    if row is None:
        return None
    newest = select(alerts.c.received_at).where(alerts.c.account_id == row.id).order_by(alerts.c.id.desc()).limit(1)
    found: datetime | None = connection.execute(newest).scalar_one_or_none()
    return found or row.started_at


def _trouble(row: AnyRow) -> Trouble:
    return Trouble(
        kind=TroubleKind(row.kind),
        subject=subject_of(row.key),
        text=row.text,
        began_at=row.began_at,
        number=row.number,
        counted_at=row.counted_at,
    )


def _channel_key(row: AnyRow) -> ChannelKey:
    return ChannelKey(receiver=row.receiver, kind=row.kind, name=row.name)


def _tallies(connection: Connection, rows: Sequence[AnyRow]) -> Iterator[Tally]:
    for row in rows:
        prefix, _, number = row.name.rpartition(".")
        if f"{prefix}." == DIED:
            kind, subject, example = TroubleKind.DELIVERIES_DEAD, *_died(connection, int(number))
        elif f"{prefix}." == UNMARKED:
            kind, subject, example = TroubleKind.READ_MARKS_FAILED, *_unmarked(connection, int(number))
        else:
            continue
        yield Tally(name=row.name, kind=kind, subject=subject, number=row.number, example=example)


def _died(connection: Connection, channel_id: int) -> tuple[str, str]:
    """Return the channel's name, and why the last of its deliveries died, if it was one of the last of all."""
    channel = connection.execute(select(channels).where(channels.c.id == channel_id)).one()
    last = select(deliveries.c.channel_id, deliveries.c.reason).where(DEAD).order_by(deliveries.c.id.desc())
    reasons = (row.reason for row in connection.execute(last.limit(_LOOKED_THROUGH)) if row.channel_id == channel_id)
    return str(_channel_key(channel)), next(reasons, None) or ""


def _unmarked(connection: Connection, account_id: int) -> tuple[str, str]:
    name = connection.execute(select(accounts.c.name).where(accounts.c.id == account_id)).scalar_one()
    last = (
        select(read_marks.c.account_id, read_marks.c.detail)
        .where(read_marks.c.state == MarkState.FAILED)
        .order_by(read_marks.c.alert_id.desc())
        .limit(1)
    )
    row = connection.execute(last).one_or_none()
    return name, (row.detail or "") if row is not None and row.account_id == account_id else ""


# --- noting --------------------------------------------------------------------------------------------------------


def note_troubles(tx: Transaction, news: Sequence[TroubleNews]) -> list[None]:
    """Write what began, grew and ended, and owe a message of it to each channel that is to be told."""
    for each in news:
        keys = {key: tx.channel_id(key) for key in each.channels}
        for begun in each.begun:
            _begin(tx, begun)
        for tally in each.grown:
            _grow(tx, tally)
        _withdraw(tx, list(keys.values()))
        _tell_of_open(tx, list(keys.values()))
        for ended in each.ended:
            _end(tx, ended, list(keys.values()))
    return [None] * len(news)


def _begin(tx: Transaction, begun: TroubleBegun) -> None:
    key = key_of(begun.kind, begun.subject)
    if tx.connection.execute(select(troubles.c.id).where(OPEN_TROUBLE, troubles.c.key == key)).first():
        return
    trouble_id = tx.new_id()
    counted = begun.tally
    tx.connection.execute(
        troubles.insert().values(
            id=trouble_id,
            key=key,
            kind=begun.kind,
            text=begun.telling.title,
            detail=begun.telling.text,
            number=counted.number if counted else 0,
            counted_at=tx.now if counted else None,
            began_at=begun.began_at,
        )
    )
    if counted:
        tx.count(counted.name, -counted.number)
    sent = {"state": DeliveryState.SENT, "attempts": 1, "finished_at": tx.now}
    for channel in begun.told:
        _owe(tx, tx.channel_id(channel), trouble_id, begun.telling, **sent)


def _grow(tx: Transaction, tally: Tally) -> None:
    more = {"number": troubles.c.number + tally.number, "counted_at": tx.now}
    key = key_of(tally.kind, tally.subject)
    tx.connection.execute(troubles.update().where(OPEN_TROUBLE, troubles.c.key == key).values(more))
    tx.count(tally.name, -tally.number)


def _tell_of_open(tx: Transaction, channel_ids: Sequence[int]) -> None:
    """Owe every channel a message of each open trouble that it was not told of: it may be new, or the receiver."""
    rows = tx.connection.execute(_OPEN).all()
    query = select(trouble_messages.c.trouble_id, trouble_messages.c.channel_id).where(
        trouble_messages.c.trouble_id.in_([row.id for row in rows])
    )
    told = {(row.trouble_id, row.channel_id) for row in tx.connection.execute(query)}
    for row in rows:
        for channel_id in channel_ids:
            if (row.id, channel_id) not in told:
                _owe(tx, channel_id, row.id, Telling(title=row.text, text=row.detail))


def _end(tx: Transaction, ended: TroubleEnded, channel_ids: Sequence[int]) -> None:
    key = key_of(ended.kind, ended.subject)
    trouble_id = tx.connection.execute(select(troubles.c.id).where(OPEN_TROUBLE, troubles.c.key == key)).scalar()
    if trouble_id is None:
        return
    tx.connection.execute(troubles.update().where(troubles.c.id == trouble_id).values(ended_at=ended.ended_at))
    # Who was not told of its beginning yet hears of both at once: the end names the beginning.
    untold = and_(trouble_messages.c.trouble_id == trouble_id, WAITING, trouble_messages.c.attempts == 0)
    merged = {"state": DeliveryState.MERGED, "finished_at": tx.now, "reason": "ended before it could be told"}
    tx.connection.execute(trouble_messages.update().where(untold).values(merged))
    for channel_id in channel_ids:
        _owe(tx, channel_id, trouble_id, ended.telling, end=True)


def _withdraw(tx: Transaction, channel_ids: Sequence[int]) -> None:
    """Give up what waits for channels that are the meta receiver's no more: the present ones are told instead."""
    gone = and_(WAITING, trouble_messages.c.channel_id.not_in(channel_ids))
    removed = {"state": DeliveryState.DEAD, "finished_at": tx.now, "reason": "channel_removed"}
    tx.connection.execute(trouble_messages.update().where(gone).values(removed))


def _owe(tx: Transaction, channel_id: int, trouble_id: str, telling: Telling, **values: Any) -> None:
    every = {
        "id": tx.new_id(),
        "trouble_id": trouble_id,
        "channel_id": channel_id,
        "end": False,
        "title": telling.title,
        "text": telling.text,
        "state": DeliveryState.PENDING,
        "due_at": tx.now,
        "attempts": 0,
        "doubtful": False,
    }
    tx.connection.execute(trouble_messages.insert().values(every | values))


def forget_troubles(tx: Transaction, moments: Sequence[datetime]) -> list[int]:
    """Forget some troubles that ended before each moment and have nothing left to tell; return how many: 0 at the end."""
    return [_forget(tx, before) for before in moments]


def _forget(tx: Transaction, before: datetime) -> int:
    waiting = select(trouble_messages.c.trouble_id).where(WAITING)
    old = select(troubles.c.id).where(troubles.c.ended_at < before, troubles.c.id.not_in(waiting)).limit(_BATCH)
    ids = list(tx.connection.execute(old).scalars())
    if ids:
        tx.connection.execute(trouble_messages.delete().where(trouble_messages.c.trouble_id.in_(ids)))
        tx.connection.execute(troubles.delete().where(troubles.c.id.in_(ids)))
    return len(ids)
