"""The ledger as the rest of Bellwire sees it: the ports of the three arrows and of sources, and questions for people."""

from __future__ import annotations

import asyncio
import secrets
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar

import structlog
from sqlalchemy import func, select

from bellwire.ledger import claiming, marking, positions, recording, retaining, retiring, settling
from bellwire.ledger.database import open_database
from bellwire.ledger.ids import Ids, time_of
from bellwire.ledger.tables import alerts, deliveries
from bellwire.ledger.transaction import Context
from bellwire.ledger.writer import Writer

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence
    from datetime import datetime

    from sqlalchemy import Connection, Engine

    from bellwire.ledger.database import Database
    from bellwire.ledger.transaction import Transaction
    from bellwire.ledger.writer import Trouble
    from bellwire.model import AccountKey, ChannelKey, StatusChange
    from bellwire.ports import Clock
    from bellwire.records import (
        Arrival,
        ChannelPolicy,
        Claims,
        DueMarks,
        MarkRecord,
        Outcome,
        Position,
        Settled,
        SourceEvent,
        Start,
    )

A = TypeVar("A")

# A list that was asked for before our mark was confirmed may still show the item: only later ones say "reopened".
_LISTING_TAKES = timedelta(minutes=2)

log = structlog.get_logger(__name__)


class Ledger:
    """All that is durable. Made with `Ledger.open` inside a running event loop; every method is for that loop."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self.clock = clock
        self._channel_work: dict[ChannelKey, asyncio.Event] = {}
        self._account_work: dict[AccountKey, asyncio.Event] = {}
        with database.reader.connect() as connection:
            last = last_id(connection)
        context = Context(clock=clock, ids=Ids(last), owner=secrets.token_hex(8))
        self._writer = Writer(database.writer, context, self._committed)
        # People's questions may take long: what intake asks has a thread of its own.
        self._readers = ThreadPoolExecutor(max_workers=2, thread_name_prefix="ledger-reader")
        self._lookups = ThreadPoolExecutor(max_workers=1, thread_name_prefix="ledger-lookup")

    @classmethod
    async def open(cls, url: str, make_clock: Callable[[datetime | None], Clock]) -> Ledger:
        """Open the ledger at ``url`` and take back what an earlier process had claimed.

        ``make_clock`` is given the latest time that the ledger knows of: the clock must not start before it.
        Raises `LedgerInUseError` or `LedgerUnusableError`.
        """
        database = await asyncio.to_thread(open_database, url)
        try:
            with database.reader.connect() as connection:
                last = last_id(connection)
            ledger = cls(database, make_clock(time_of(last) if last else None))
        except BaseException:
            database.close()
            raise
        try:
            if database.exclusive and (doubtful := await ledger._writer.run(claiming.recover, None)):
                log.warning("deliveries_in_doubt", deliveries=doubtful)
        except BaseException:
            await ledger.close(1.0)
            raise
        return ledger

    async def close(self, patience: float = 5.0) -> None:
        """Write what waits, for at most ``patience`` seconds, and close the database."""
        await self._writer.close(patience)
        for pool in (self._readers, self._lookups):
            pool.shutdown(wait=False, cancel_futures=True)
        self._database.interrupt()
        await asyncio.to_thread(self._database.close)

    @property
    def trouble(self) -> Trouble | None:
        """Why nothing can be written at the moment."""
        return self._writer.trouble

    async def ping(self) -> None:
        """Return once a commit has gone through."""
        await self._writer.run(_ping, None)

    # --- intake ---

    async def known(self, account: AccountKey, upstream_ids: Sequence[str]) -> set[str]:
        """Return those of the ids that are recorded; note those that came back unread after our mark."""
        before = self.clock.now() - _LISTING_TAKES
        query = recording.reopened_query(account, upstream_ids, before)
        loop = asyncio.get_running_loop()
        reader = self._database.reader
        rows = await loop.run_in_executor(self._lookups, answer, reader, lambda reading: reading.execute(query).all())
        if reopened := [row.alert_id for row in rows if row.alert_id is not None]:
            await self._writer.run(recording.note_reopened, reopened)
        return {row.upstream_id for row in rows}

    async def record(self, arrivals: Sequence[Arrival]) -> list[str | None]:
        """Write arrivals; return each alert's id, None where it was known."""
        return await self._writer.run(recording.record_arrivals, arrivals)

    async def release_digest(self, account: AccountKey) -> None:
        """Make the account's catch-up digests due."""
        await self._writer.run(recording.release_digests, account)

    async def release_abandoned_digests(self, kept: Sequence[AccountKey]) -> None:
        """Make those catch-up digests due that none of these accounts will ever release: theirs are gone."""
        await self._writer.run(recording.release_abandoned_digests, kept)

    # --- sources ---

    async def position(self, account: AccountKey) -> Position:
        """Return where the account's source stood."""
        return await self._writer.run(positions.read_positions, account)

    async def save_position(self, account: AccountKey, position: Position) -> None:
        """Keep where it stands now."""
        await self._writer.run(positions.save_positions, (account, position))

    async def note(self, account: AccountKey, event: SourceEvent) -> None:
        """Keep an event for the status page."""
        await self._writer.run(positions.note_source_events, (account, event))

    async def note_changes(self, account: AccountKey, changes: Sequence[StatusChange]) -> None:
        """Keep with the alerts what became of their items at the vendor."""
        await self._writer.run(positions.note_status_changes, (account, changes))

    # --- dispatch ---

    async def claim(self, policy: ChannelPolicy, limit: int) -> Claims:
        """Take due deliveries of a channel."""
        return await self._writer.run(claiming.claim_deliveries, (policy, limit))

    async def unclaim(self, delivery_ids: Sequence[str]) -> None:
        """Give back claims: what was started is in doubt."""
        await self._writer.run(claiming.unclaim, delivery_ids)

    async def start(self, policy: ChannelPolicy, starts: Sequence[Start]) -> list[bool]:
        """Write attempts before they are made."""
        return await self._writer.run(settling.start_attempts, (policy, starts))

    async def settle(self, policy: ChannelPolicy, outcomes: Sequence[Outcome]) -> list[Settled]:
        """Write outcomes."""
        return await self._writer.run(settling.settle_outcomes, (policy, outcomes), first=True)

    async def retire_channels(self, kept: Collection[ChannelKey]) -> int:
        """Let what waits for any channel but these die as ``channel_removed``; return how many deliveries did."""
        removed = 0
        while some := await self._writer.run(retiring.retire_channels, kept):
            removed += some
        return removed

    def work(self, channel: ChannelKey) -> asyncio.Event:
        """Return the event that says that the channel may have work."""
        return self._channel_work.setdefault(channel, asyncio.Event())

    # --- acknowledge ---

    async def due_marks(self, account: AccountKey, limit: int) -> DueMarks:
        """Return read marks that are due."""
        return await self._writer.run(marking.due_marks, (account, limit))

    async def record_marks(self, records: Sequence[MarkRecord]) -> None:
        """Write what came of read marks."""
        await self._writer.run(marking.record_marks, records, first=True)

    def marks(self, account: AccountKey) -> asyncio.Event:
        """Return the event that says that the account may have read marks to make."""
        return self._account_work.setdefault(account, asyncio.Event())

    # --- retention ---

    async def strip_contents(self, before: datetime) -> int:
        """Forget the contents of some alerts that were settled before; 0 once there are no more."""
        return await self._writer.run(retaining.strip_contents, before)

    # --- people ---

    async def ask(self, question: Callable[[Connection], A]) -> A:
        """Answer a question of `bellwire.ledger.reading` or `auditing`, beside the writer and without holding it up."""
        return await asyncio.get_running_loop().run_in_executor(self._readers, answer, self._database.reader, question)

    def _committed(self, transaction: Transaction) -> None:
        channels = self._channel_work if transaction.wake_all else transaction.due_channels
        for channel in channels:
            self.work(channel).set()
        for account in transaction.due_accounts:
            self.marks(account).set()


def answer(engine: Engine, question: Callable[[Connection], A]) -> A:
    """Ask one question in one snapshot of the database."""
    with engine.connect() as connection:
        return question(connection)


def last_id(connection: Connection) -> str | None:
    """Return the greatest id that was ever given."""
    candidates = [
        connection.execute(select(func.max(table.c.id))).scalar_one_or_none() for table in (alerts, deliveries)
    ]
    return max((each for each in candidates if each), default=None)


def _ping(transaction: Transaction, arguments: Sequence[None]) -> list[Any]:
    transaction.count("pings", len(arguments))
    return [None] * len(arguments)
