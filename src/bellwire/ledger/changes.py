"""What vendors change about items that are known: noted with their alerts, and nothing else.

Each is compared with what was kept of it when it came, so that an event says what Bellwire sent and what the vendor says
now. Lists bring the same items again and again: a hash of what each said last is remembered, and only what is not
remembered, or says something else, is compared. What retention has forgotten cannot be compared any more.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson
import structlog
from sqlalchemy import and_, bindparam, func, select

from bellwire.ledger.differences import adds, differences, told
from bellwire.ledger.payloads import dump_payload
from bellwire.ledger.prepared import KEYS, Prepared
from bellwire.ledger.tables import accounts, alert_contents, alert_events, alerts
from bellwire.ledger.transaction import in_chunks
from bellwire.model import Via

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from sqlalchemy import Connection

    from bellwire.ledger.silences import Ask
    from bellwire.ledger.transaction import Transaction
    from bellwire.ledger.writer import Writer
    from bellwire.model import AccountKey, Notification

CHANGED = "changed"
"""The kind of the events."""

_REMEMBERED = 50_000  # items, of all accounts; at most twice as many, some 100 bytes each
_AT_ONCE = 32  # payloads that one question reads
_MOST_EVENTS = 20  # of an alert: what changes again and again is not kept without end

_KEPT = Prepared(
    select(alerts.c.id, alerts.c.upstream_id, alerts.c.via, alert_contents.c.payload)
    .select_from(
        alerts.join(accounts, accounts.c.id == alerts.c.account_id).join(
            alert_contents, alert_contents.c.alert_id == alerts.c.id
        )
    )
    .where(
        accounts.c.name == bindparam("name"),
        accounts.c.base_url == bindparam("base_url"),
        alerts.c.upstream_id.in_(KEYS),
    )
)
_NOTED = Prepared(
    select(alert_events.c.alert_id, alert_events.c.detail)
    .where(alert_events.c.alert_id.in_(KEYS), alert_events.c.kind == CHANGED)
    .order_by(alert_events.c.id)  # the newest of each comes last
)

log = structlog.get_logger(__name__)


class Change(NamedTuple):
    """How an alert's item differs from what was kept of it, as the event says it."""

    alert_id: str
    detail: dict[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Look:
    """Items of one account as the vendor has them now: JSON by the vendor's ids, and which keys say nothing of interest."""

    account: AccountKey
    items: Mapping[str, bytes]
    streamed: bool
    besides: Collection[str]


class Changes:
    """Compares what vendors say with what they said. One for all accounts."""

    def __init__(self, writer: Writer, ask: Ask, remembered: int = _REMEMBERED) -> None:
        self._writer = writer
        self._ask = ask
        self._memory = Memory(remembered)

    async def compare(
        self, account: AccountKey, items: Sequence[Notification], via: Via, besides: Collection[str] = ()
    ) -> int:
        """Note what changed about items that are known; return for how many. Their keys ``besides`` do not count."""
        fresh: dict[str, bytes] = {}
        hashes: list[tuple[int, int]] = []
        for item in items:
            body = dump_payload(item.payload)
            key, content = hash((account.name, account.base_url, item.upstream_id)), hash(body)
            if self._memory.get(key) != content:
                fresh[item.upstream_id] = body
                hashes.append((key, content))
        noted = 0
        for ids in in_chunks(list(fresh), _AT_ONCE):
            look = Look(
                account=account,
                items={each: fresh[each] for each in ids},
                streamed=via is Via.STREAM,
                besides=besides,
            )
            noted += await self._compare(look)
        for key, content in hashes:
            self._memory.keep(key, content)
        return noted

    async def _compare(self, look: Look) -> int:
        found = await self._ask(lambda connection: changes_of(connection, look))
        if not found:
            return 0
        noted = await self._writer.run(note_changes, found)
        for alert_id, detail in noted:
            names = [each["name"] for each in detail["fields"]]
            log.debug("alert_changed", alert=alert_id, account=look.account.name, fields=names)
        return len(noted)


class Memory:
    """A number by another, for those that were asked for last: between ``most`` and twice as many."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._young: dict[int, int] = {}
        self._old: dict[int, int] = {}

    def get(self, key: int) -> int | None:
        """Return what was kept, and keep it longer."""
        found = self._young.get(key)
        if found is None and (found := self._old.get(key)) is not None:
            self.keep(key, found)
        return found

    def __len__(self) -> int:
        return len(self._young) + len(self._old)

    def keep(self, key: int, value: int) -> None:
        """Remember."""
        self._young[key] = value
        if len(self._young) >= self._most:
            self._young, self._old = {}, self._young


def changes_of(connection: Connection, look: Look) -> list[Change]:
    """Return those of the items that differ from what was noted of them last, or kept when they came."""
    values = {"name": look.account.name, "base_url": look.account.base_url}
    rows = _KEPT.all(connection, values, keys=list(look.items))
    events = _NOTED.all(connection, keys=[row.id for row in rows])
    noted = {event.alert_id: event.detail for event in events}
    found = []
    for row in rows:
        now = look.items[row.upstream_id]
        if now != row.payload or row.id in noted:
            # Whether a stream and a list have the same keys is the vendor's affair.
            common = look.streamed is not (row.via is Via.STREAM)
            kept_item, item = orjson.loads(row.payload), orjson.loads(now)
            detail = told(differences(kept_item, item, look.besides, common=common))
            if adds(detail, noted.get(row.id), item if common else None):
                found.append(Change(row.id, detail))
    return found


def note_changes(tx: Transaction, batches: Sequence[Sequence[Change]]) -> list[list[Change]]:
    """Note each change unless the last one that was noted is the same; return those that were noted.

    Of an alert that has many, the newest gives way to the next.
    """
    return [[change for change in batch if _note(tx, change)] for batch in batches]


def _note(tx: Transaction, change: Change) -> bool:
    of_it = and_(alert_events.c.alert_id == change.alert_id, alert_events.c.kind == CHANGED)
    number, newest = tx.connection.execute(select(func.count(), func.max(alert_events.c.id)).where(of_it)).one()
    last = select(alert_events.c.detail).where(alert_events.c.id == newest)
    if (tx.connection.execute(last).scalar_one()["digest"] if number else "") == change.detail["digest"]:
        return False
    kept = select(alert_contents.c.alert_id).where(alert_contents.c.alert_id == change.alert_id)
    if tx.connection.execute(kept).first() is None:  # retention came between: what a change says is content, too
        return False
    values = {"at": tx.now, "detail": change.detail}
    if number >= _MOST_EVENTS:
        tx.connection.execute(alert_events.update().where(alert_events.c.id == newest).values(values))
    else:
        row = values | {"alert_id": change.alert_id, "kind": CHANGED}
        tx.connection.execute(alert_events.insert().values(row))
    return True
