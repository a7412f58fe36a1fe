"""What an operation works with: one connection, one ``now``, and a record of what others must hear about."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC
from typing import TYPE_CHECKING, TypeVar

from sqlalchemy import bindparam, select

from bellwire.ledger.fresh import FreshAlerts
from bellwire.ledger.prepared import Insertion, Prepared
from bellwire.ledger.tables import accounts, channels, totals

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime, tzinfo

    from sqlalchemy import Connection, Table

    from bellwire.ledger.ids import Ids
    from bellwire.ledger.silencing import Silence
    from bellwire.model import AccountKey, ChannelKey
    from bellwire.ports import Clock
    from bellwire.routing.intervals import Calendar

T = TypeVar("T")

TALLY = "troubles."
"""What the names of totals begin with that count what nobody has been told of yet."""
DIED = f"{TALLY}died."  # and the channel's row
UNMARKED = f"{TALLY}unmarked."  # and the account's

_FIND = {
    accounts: Prepared(
        select(accounts.c.id).where(accounts.c.name == bindparam("name"), accounts.c.base_url == bindparam("base_url"))
    ),
    channels: Prepared(
        select(channels.c.id).where(
            channels.c.receiver == bindparam("receiver"),
            channels.c.kind == bindparam("kind"),
            channels.c.name == bindparam("name"),
        )
    ),
}
_ADD_TO_TOTALS = Insertion(totals, "ON CONFLICT (name) DO UPDATE SET number = totals.number + excluded.number")


@dataclass(slots=True)
class Directory:
    """The rows of accounts and channels that are known to exist."""

    accounts: dict[AccountKey, int] = field(default_factory=dict)
    channels: dict[ChannelKey, int] = field(default_factory=dict)

    def forget(self) -> None:
        """After a rollback: a row that was seen may never have been."""
        self.accounts.clear()
        self.channels.clear()


@dataclass(slots=True)
class Facts:
    """What alerts meet beside the rules, as operations see it in the writer's thread.

    ``timetable`` is the calendar in force and the zone that crontabs go by; it is replaced whole, from any thread.
    ``silences`` are those that have not ended, None until they are asked for.
    """

    timetable: tuple[Calendar | None, tzinfo] = (None, UTC)
    silences: tuple[Silence, ...] | None = None
    repeats: bool | None = None  # there are any; None: not known
    served_since: dict[ChannelKey, datetime] = field(default_factory=dict)  # from any thread, a channel at a time


@dataclass(frozen=True, kw_only=True, slots=True)
class Context:
    """What outlives a transaction."""

    clock: Clock
    ids: Ids
    owner: str  # who claims
    started_at: datetime
    directory: Directory = field(default_factory=Directory)
    facts: Facts = field(default_factory=Facts)
    fresh: FreshAlerts = field(default_factory=FreshAlerts)

    def forget(self) -> None:
        """After a rollback: what was seen may never have been."""
        self.directory.forget()
        self.fresh.clear()
        self.facts.silences = self.facts.repeats = None


def in_chunks(values: Sequence[T], size: int = 500) -> Iterator[Sequence[T]]:
    """Yield ``values`` in parts that fit into an ``IN`` of any database."""
    for start in range(0, len(values), size):
        yield values[start : start + size]


class Transaction:
    """One transaction in the making."""

    def __init__(self, connection: Connection, context: Context) -> None:
        self.connection = connection
        self.now: datetime = context.clock.now()
        self.wall: datetime = context.clock.wall()
        self.facts = context.facts
        self.fresh = context.fresh
        self.owner = context.owner
        self.due_channels: set[ChannelKey] = set()  # may have new work after the commit
        self.due_accounts: set[AccountKey] = set()  # may have new read marks after the commit
        self.wake_all = False  # any channel may have new work
        self.suppressed: Counter[str] = Counter()  # alerts and obligations that the ledger suppressed itself
        self._context = context
        self._totals: Counter[str] = Counter()
        self._moves: Counter[tuple[str, str, str]] = Counter()  # of what, out of which state, into which

    def new_id(self) -> str:
        """Return an id that is greater than all before it."""
        return self._context.ids.next(self.now)

    def served_since(self, channel: ChannelKey) -> datetime:
        """Return since when somebody has been there to send what the channel is owed."""
        return self.facts.served_since.get(channel, self._context.started_at)

    def count(self, name: str, more: int = 1) -> None:
        """Add to a total; written at the end of the transaction."""
        self._totals[name] += more

    def move(self, what: str, old: str, new: str, number: int = 1) -> None:
        """Count ``number`` of ``what`` out of one state and into another."""
        self._moves[what, old, new] += number

    def account_id(self, key: AccountKey) -> int:
        """Return the account's row, making one where there is none."""
        known = self._context.directory.accounts.get(key)
        if known is None:
            known = self._row_of(accounts, key._asdict())
            self._context.directory.accounts[key] = known
        return known

    def channel_id(self, key: ChannelKey) -> int:
        """Return the channel's row, making one where there is none."""
        known = self._context.directory.channels.get(key)
        if known is None:
            known = self._row_of(channels, key._asdict())
            self._context.directory.channels[key] = known
        return known

    def _row_of(self, table: Table, columns: dict[str, str]) -> int:
        found = _FIND[table].first(self.connection, columns)
        if found is None:
            found = self.connection.execute(table.insert().values(**columns).returning(table.c.id)).one()
        number: int = found.id
        return number

    def finish(self) -> None:
        """Write the totals."""
        for (what, old, new), number in self._moves.items():
            self._totals[f"{what}.{old}"] -= number
            self._totals[f"{what}.{new}"] += number
        changed = {name: more for name, more in self._totals.items() if more}
        if not changed:
            return
        _ADD_TO_TOTALS.run(self.connection, [{"name": name, "number": more} for name, more in changed.items()])
