"""The ledger as the rest of Bellwire sees it: the ports of the three arrows and of sources, and questions for people."""

from __future__ import annotations

import asyncio
import secrets
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeVar

import structlog
from sqlalchemy import func, select

from bellwire.ledger import (
    acting,
    auditing,
    breaking,
    claiming,
    holding,
    marking,
    positions,
    recording,
    retaining,
    retiring,
    settling,
    standing_in,
    troubles,
    upstream,
)
from bellwire.ledger.changes import Changes
from bellwire.ledger.database import open_database
from bellwire.ledger.ids import Ids, time_of
from bellwire.ledger.letters import DeadLetters
from bellwire.ledger.pressing import Presses
from bellwire.ledger.silences import Silences
from bellwire.ledger.tables import alerts, deliveries, trouble_messages
from bellwire.ledger.telling import TroubleMessages
from bellwire.ledger.transaction import Context
from bellwire.ledger.writer import Writer

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from datetime import datetime, tzinfo

    from sqlalchemy import Connection, Engine

    from bellwire.ledger.database import Database
    from bellwire.ledger.transaction import Transaction
    from bellwire.ledger.writer import Trouble
    from bellwire.model import AccountKey, ChannelKey, StatusChange
    from bellwire.ports import Clock
    from bellwire.records import (
        Arrival,
        AuditSlice,
        ChannelPolicy,
        Claims,
        DueMarks,
        Fallback,
        FellBack,
        MarkRecord,
        Outcome,
        Position,
        Settled,
        SourceEvent,
        Start,
    )
    from bellwire.routing.intervals import Calendar
    from bellwire.trouble_records import TroubleNews, TroubleSight

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
        with database.reader.connect() as connection:
            last = last_id(connection)
        context = Context(clock=clock, ids=Ids(last), owner=secrets.token_hex(8), started_at=clock.now())
        self._facts = context.facts
        self._writer = Writer(database.writer, context, self._committed)
        self.on_suppressed: Callable[[Mapping[str, int]], None] = lambda _: None
        """Called after each commit in which the ledger itself suppressed something, with how many by reason."""
        self.on_marks_owed: Callable[[AccountKey], None] = lambda _: None
        """Called after each commit by which an account may have new read marks."""
        self.timetable_changed = asyncio.Event()
        """Set when windows have changed: what waits for them must be timed anew."""
        self.letters = DeadLetters(self._writer)
        """What is dead, for people to send again or give up."""
        self.silences = Silences(self._writer, self.ask, clock)
        """What people do not want to hear of."""
        self.presses = Presses(self._writer, self.ask)
        """Messages that were sent, as people act on them."""
        self.messages = TroubleMessages(self._writer)
        """What is told of Bellwire's own troubles."""
        # People's questions may take long: what intake asks has a thread of its own.
        self._readers = ThreadPoolExecutor(max_workers=2, thread_name_prefix="ledger-reader")
        self._lookups = ThreadPoolExecutor(max_workers=1, thread_name_prefix="ledger-lookup")
        self.changes = Changes(self._writer, self._look_up)
        """What vendors change about items that are known."""

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
        rows = await self._look_up(lambda connection: recording.listed(connection, account, upstream_ids, before))
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

    async def in_flight(self, account: AccountKey) -> set[str]:
        """Return the items of the account's alerts that are not settled: the oldest, and a thousand at most."""
        return await self.ask(lambda connection: upstream.in_flight(connection, account))

    async def read_upstream(self, account: AccountKey, upstream_ids: Sequence[str], found_by: str) -> int:
        """Suppress what is still owed of these items, which someone read at the vendor; return how many alerts it was."""
        return await self._writer.run(upstream.suppress_read, (account, upstream_ids, found_by))

    # --- dispatch ---

    async def claim(self, policy: ChannelPolicy, limit: int) -> Claims:
        """Take due deliveries of a channel."""
        return await self._writer.run(claiming.claim_deliveries, (policy, limit))

    async def advance(
        self, policy: ChannelPolicy, starts: Sequence[Start], limit: int, offered: Collection[str] | None = None
    ) -> tuple[list[bool], Claims]:
        """Write attempts before they are made, and take due deliveries, or have them offered."""
        return await self._writer.run(settling.advance, (policy, starts, limit, offered))

    async def unclaim(self, delivery_ids: Sequence[str]) -> None:
        """Give back claims: what was started is in doubt."""
        await self._writer.run(claiming.unclaim, delivery_ids)

    async def pause(self, channel: ChannelKey, until: datetime) -> None:
        """Hand out nothing of the channel until then."""
        await self._writer.run(breaking.pause_channels, (channel, until))

    async def start(self, policy: ChannelPolicy, starts: Sequence[Start]) -> list[bool]:
        """Write attempts before they are made."""
        return await self._writer.run(settling.start_attempts, (policy, starts))

    async def settle(self, policy: ChannelPolicy, outcomes: Sequence[Outcome]) -> list[Settled]:
        """Write outcomes."""
        return await self._writer.run(settling.settle_outcomes, (policy, outcomes), first=True)

    async def retire_channels(
        self, kept: Collection[ChannelKey], stand_ins: Mapping[str, tuple[Fallback, ...]] = MappingProxyType({})
    ) -> int:
        """Let what waits for any channel but these die as ``channel_removed``; return how many deliveries did.

        ``stand_ins`` get it, by the name of the receiver.
        """
        removed = 0
        while some := await self._writer.run(retiring.retire_channels, (kept, stand_ins)):
            removed += some
        return removed

    async def fall_back(self, policies: Sequence[ChannelPolicy]) -> FellBack:
        """Give stand-ins some of what has been wanted for too long on these channels; say when to look again."""
        return await self._writer.run(standing_in.fall_back_late, policies)

    def work(self, channel: ChannelKey) -> asyncio.Event:
        """Return the event that says that the channel may have work. Whoever asks serves the channel from now on."""
        self._facts.served_since[channel] = self.clock.now()
        return self._work(channel)

    def _work(self, channel: ChannelKey) -> asyncio.Event:
        return self._channel_work.setdefault(channel, asyncio.Event())

    # --- acknowledge ---

    async def due_marks(self, account: AccountKey, limit: int) -> DueMarks:
        """Return read marks that are due."""
        return await self._writer.run(marking.due_marks, (account, limit))

    async def record_marks(self, records: Sequence[MarkRecord]) -> None:
        """Write what came of read marks."""
        await self._writer.run(marking.record_marks, records, first=True)

    # --- retention ---

    async def strip_contents(self, before: datetime) -> int:
        """Forget the contents of some alerts that were settled before; 0 once there are no more."""
        return await self._writer.run(retaining.strip_contents, before)

    async def forget_passed(self, before: datetime) -> None:
        """Forget shadows and repeats that have passed, and silences that ended before."""
        await self._writer.run(retaining.forget_passed, before)

    # --- windows ---

    def follow(self, calendar: Calendar, zone: tzinfo) -> None:
        """Go by these windows from now on, and by this zone for crontabs."""
        self._facts.timetable = (calendar, zone)
        self.timetable_changed.set()

    async def retime(self) -> None:
        """Time anew what waits for a moment of the wall's clock."""
        await self._writer.run(holding.retime, None)

    # --- troubles ---

    async def look_for_troubles(self) -> TroubleSight:
        """Return what is known of Bellwire's own troubles."""
        return await self.ask(troubles.look)

    async def note_troubles(self, news: TroubleNews) -> None:
        """Write what changed about them, and owe the messages of it."""
        await self.messages.note(news)

    async def forget_troubles(self, before: datetime) -> int:
        """Forget some troubles that ended before; 0 once there are no more."""
        return await self._writer.run(troubles.forget_troubles, before)

    async def last_arrival(self, account: AccountKey) -> datetime | None:
        """Return when the account's newest alert came, by the wall's clock."""
        return await self.ask(lambda connection: troubles.last_arrival(connection, account.name, account.base_url))

    # --- the audit ---

    async def audit_slice(self, after: str) -> AuditSlice:
        """Audit the alerts that follow the id ``after``."""
        return await self.ask(lambda connection: auditing.audit_slice(connection, after))

    def balance_of(self, slices: Sequence[AuditSlice]) -> dict[str, Any]:
        """Add up all the slices of an audit."""
        return auditing.balance_of(slices)

    async def recorded(self, account: AccountKey, upstream_ids: Sequence[str]) -> set[str]:
        """Return those of the ids that are recorded; unlike `known`, it notes nothing."""
        name, base_url = account.name, account.base_url
        return await self.ask(lambda connection: auditing.known_ids(connection, name, base_url, upstream_ids))

    async def whole_until(self, account: AccountKey) -> datetime | None:
        """Return until when the account's source is known to have missed nothing."""
        return await self.ask(lambda connection: auditing.whole_until(connection, account.name, account.base_url))

    # --- people ---

    async def note_action(self, who: str, what: str, detail: Mapping[str, Any], how: str = "") -> None:
        """Keep that ``who``, who came in ``how``, did something that the ledger has no other part in."""
        await self._writer.run(acting.note_actions, (who, what, detail, how))

    async def ask(self, question: Callable[[Connection], A]) -> A:
        """Answer a question of `bellwire.ledger.reading` or `auditing`, beside the writer and without holding it up."""
        return await asyncio.get_running_loop().run_in_executor(self._readers, answer, self._database.reader, question)

    async def _look_up(self, question: Callable[[Connection], A]) -> A:
        return await asyncio.get_running_loop().run_in_executor(self._lookups, answer, self._database.reader, question)

    def _committed(self, transaction: Transaction) -> None:
        channels = self._channel_work if transaction.wake_all else transaction.due_channels
        for channel in channels:
            self._work(channel).set()
        for account in transaction.due_accounts:
            self.on_marks_owed(account)
        if transaction.suppressed:
            self.on_suppressed(transaction.suppressed)


def answer(engine: Engine, question: Callable[[Connection], A]) -> A:
    """Ask one question in one snapshot of the database."""
    with engine.connect() as connection:
        return question(connection)


def last_id(connection: Connection) -> str | None:
    """Return the greatest id that was ever given."""
    candidates = [
        connection.execute(select(func.max(table.c.id))).scalar_one_or_none()
        for table in (alerts, deliveries, trouble_messages)
    ]
    return max((each for each in candidates if each), default=None)


def _ping(transaction: Transaction, arguments: Sequence[None]) -> list[Any]:
    transaction.count("pings", len(arguments))
    return [None] * len(arguments)
