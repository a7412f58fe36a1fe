"""What the three arrows ask of the outside world. Adapters implement these; the arrows know nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import asyncio
    from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
    from contextlib import AbstractAsyncContextManager, AbstractContextManager
    from datetime import datetime

    from bellwire.model import (
        AccountKey,
        ChannelKey,
        Envelope,
        MarkResult,
        Message,
        Notification,
        Page,
        Receipt,
        StatusChange,
        StreamItem,
        Via,
    )
    from bellwire.records import (
        Arrival,
        ChannelPolicy,
        Claims,
        DueMarks,
        FellBack,
        MarkRecord,
        Outcome,
        Position,
        Settled,
        SourceEvent,
        Start,
    )
    from bellwire.trouble_records import TroubleNews, TroubleSight


class Alarm(Protocol):
    """Something that will be called."""

    def cancel(self) -> object:
        """Do not call it after all."""
        ...


class Clock(Protocol):
    """Time, so that tests can turn it."""

    def now(self) -> datetime:
        """Return the time in UTC by a clock that never steps: for due times, leases and everything that is waited for."""
        ...

    def wall(self) -> datetime:
        """Return the time in UTC as the machine's clock has it: for people, signatures, tokens, windows and cron."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait for so many seconds."""
        ...

    async def wait(self, event: asyncio.Event, seconds: float | None) -> bool:
        """Wait until ``event`` is set, at most so many seconds (None: for ever); return whether it is."""
        ...

    def alarm(self, seconds: float, callback: Callable[[], None]) -> Alarm:
        """Have ``callback`` called after so many seconds: what waits without a task costs a tenth of one that has one."""
        ...


# --- vendors -------------------------------------------------------------------------------------------------------


class Inbox(Protocol):
    """One account's inbox at its vendor. Every call may raise `SourceError` or a child of it.

    A vendor that asked for a pause, or refused the credentials, is left alone until then by all of these calls: they wait.
    """

    @property
    def hindrance(self) -> str | None:
        """Why calls wait now, a pause that the vendor asked for or refused credentials; None if they do not."""
        ...

    async def ready(self) -> None:
        """Wait until the vendor lets calls be made: what is asked then is asked at once."""
        ...

    def line_up(self, begin: Callable[[], None]) -> None:
        """Call ``begin`` once there is room to ask the vendor: at once, unless thousands want to."""
        ...

    async def page(self, cursor: str | None = None) -> Page:
        """Fetch a page of unread notifications: the first, or the one that ``cursor`` from an earlier page names."""
        ...

    def listing(self) -> AbstractContextManager[None]:
        """Say that the list is read from page to page while this is entered: read marks wait meanwhile, for some seconds."""
        ...

    async def unread_count(self) -> int | None:
        """Ask for the number of unread notifications, by the API's lightest call; None if it has none."""
        ...

    async def listable(self) -> int | None:
        """Ask for the number that whole lists must come to; None if the API has none that its filters hold for."""
        ...

    async def is_unread(self, upstream_id: str) -> bool | None:
        """Ask whether one notification is unread: False if it is read or gone, None if the API has no call for one."""
        ...

    def stream(self, last_event_id: str | None) -> AbstractAsyncContextManager[Stream]:
        """Open the stream. Raises `StreamRefusedError` if it cannot be had though the vendor can be reached."""
        ...

    async def mark_read(self, upstream_ids: Sequence[str]) -> list[MarkResult]:
        """Mark these as read, and no others; one result for each. An empty sequence sends nothing."""
        ...

    def on_refusal(self, refused: Callable[[], None], admitted: Callable[[], None]) -> None:
        """Have ``refused`` called when a read mark finds the credentials refused: pages and streams raise it themselves.

        ``admitted`` is called when refused credentials are taken again, by whatever call.
        """
        ...


class Stream(Protocol):
    """An open stream of one account."""

    def batches(self) -> AsyncIterator[list[StreamItem]]:
        """Yield what arrived together, in order; an empty list for bytes that were no item (keep-alives).

        Ends when the vendor closes the stream; raises `SourceError` when it breaks or stalls.
        """
        ...

    @property
    def last_event_id(self) -> str | None:
        """The id to resume from, where the API resumes; it covers the batches yielded so far."""
        ...

    @property
    def retry(self) -> float | None:
        """How long the vendor wants to be left alone once the stream has ended, in seconds, where it said so."""
        ...


# --- channels ------------------------------------------------------------------------------------------------------


class Channel(Protocol):
    """One way to deliver: where and how is fixed when it is made."""

    def render(self, message: Message) -> bytes:
        """Return the body to keep and send; a pure function of the message and the channel's settings."""
        ...

    async def send(self, envelope: Envelope) -> Receipt:
        """Send a body that this channel rendered. Returns when the other side has confirmed it, else raises `DeliveryError`."""
        ...


# --- ledger --------------------------------------------------------------------------------------------------------


class IntakeLedger(Protocol):
    """The ledger as intake sees it."""

    async def known(self, account: AccountKey, upstream_ids: Sequence[str]) -> set[str]:
        """Return those of the ids that are recorded.

        One that we confirmed as marked, yet is listed as unread again, is noted once as ``reopened``.
        """
        ...

    async def record(self, arrivals: Sequence[Arrival]) -> list[str | None]:
        """Write alerts, decisions, obligations and deliveries; return each alert's id, None where it was known."""
        ...

    async def release_digest(self, account: AccountKey) -> None:
        """Make the account's catch-up digests due: the catch-up has read everything."""
        ...

    @property
    def changes(self) -> ChangeLedger:
        """What vendors change about items that are known."""
        ...


class ChangeLedger(Protocol):
    """What intake tells the ledger of items that are recorded."""

    async def compare(
        self, account: AccountKey, items: Sequence[Notification], via: Via, besides: Collection[str]
    ) -> int:
        """Note once what an item says now and did not when it came, but for its keys ``besides``; return for how many."""
        ...


class SourceLedger(Protocol):
    """The ledger as sources see it."""

    async def position(self, account: AccountKey) -> Position:
        """Return where the account's source stood."""
        ...

    async def save_position(self, account: AccountKey, position: Position) -> None:
        """Keep where it stands now."""
        ...

    async def note(self, account: AccountKey, event: SourceEvent) -> None:
        """Keep an event for the status page."""
        ...

    async def note_changes(self, account: AccountKey, changes: Sequence[StatusChange]) -> None:
        """Keep with the alerts what became of their items at the vendor, and whether that was before they were sent."""
        ...

    async def in_flight(self, account: AccountKey) -> set[str]:
        """Return the items of the account's alerts that are not settled: the oldest ones, some thousand at most."""
        ...

    async def read_upstream(self, account: AccountKey, upstream_ids: Sequence[str], found_by: str) -> int:
        """Suppress what is still owed of these items, which someone read at the vendor; return how many alerts it was.

        What Bellwire marked itself does not count, and what is being sent or in doubt goes on.
        """
        ...


class DispatchLedger(Protocol):
    """The ledger as dispatch sees it."""

    async def advance(
        self, policy: ChannelPolicy, starts: Sequence[Start], limit: int, offered: Collection[str] | None
    ) -> tuple[list[bool], Claims]:
        """Write attempts before they are made, and take at most ``limit`` due deliveries more, in one commit.

        A start renews the lease; False where the claim was lost meanwhile, or the channel may not be sent to any more:
        then it has been given back, and is not to be sent. What is taken has its membership frozen, under a lease. With
        ``offered``, ids of what is on offer already, some are only offered: theirs until something else becomes of them.
        """
        ...

    async def settle(self, policy: ChannelPolicy, outcomes: Sequence[Outcome]) -> list[Settled]:
        """Write outcomes: obligations, alert states and read marks follow in the same transaction.

        A success is taken even after its lease has run out: it is the truth. A failure is taken only if no later attempt
        has begun.
        """
        ...

    async def unclaim(self, delivery_ids: Sequence[str]) -> None:
        """Give back claims: what was never started is as it was, what was is in doubt."""
        ...

    async def pause(self, channel: ChannelKey, until: datetime) -> None:
        """Hand out nothing of the channel until then: the other side asked for it."""
        ...

    def work(self, channel: ChannelKey) -> asyncio.Event:
        """Return the event that is set when the channel may have new work; the caller clears it before it asks."""
        ...


class AcknowledgeLedger(Protocol):
    """The ledger as acknowledge sees it."""

    async def due_marks(self, account: AccountKey, limit: int) -> DueMarks:
        """Return at most ``limit`` read marks that are due."""
        ...

    async def record_marks(self, records: Sequence[MarkRecord]) -> None:
        """Write what came of read marks."""
        ...


class StandbyLedger(Protocol):
    """The ledger as the watch over what does not get through sees it."""

    async def fall_back(self, policies: Sequence[ChannelPolicy]) -> FellBack:
        """Owe some of what has been wanted for too long on these channels to their stand-ins; say when to look again."""
        ...


class RetentionLedger(Protocol):
    """The ledger as retention sees it."""

    async def strip_contents(self, before: datetime) -> int:
        """Forget what some alerts said that were settled before; return how many, 0 once there are no more."""
        ...

    async def forget_passed(self, before: datetime) -> None:
        """Forget shadows and repeats that have passed, and silences that ended before."""
        ...


class TimedLedger(Protocol):
    """The ledger as the watch over the clocks sees it."""

    @property
    def timetable_changed(self) -> asyncio.Event:
        """Set when windows have changed; whoever asks clears it first."""
        ...

    async def retime(self) -> None:
        """Time anew what waits for a moment of the wall's clock."""
        ...


class TroubleLedger(Protocol):
    """The ledger as the watch over troubles sees it."""

    async def look_for_troubles(self) -> TroubleSight:
        """Return what is known of Bellwire's own troubles."""
        ...

    async def note_troubles(self, news: TroubleNews) -> None:
        """Write what changed about them, and owe the messages of it; a trouble that is open already begins no more."""
        ...

    async def forget_troubles(self, before: datetime) -> int:
        """Forget some troubles that ended before; 0 once there are no more."""
        ...

    async def last_arrival(self, account: AccountKey) -> datetime | None:
        """Return when the account's newest alert came, by the wall's clock; None if it never had any."""
        ...


# --- between sources and intake ------------------------------------------------------------------------------------


class Intake(Protocol):
    """Where sources hand in what they found."""

    async def receive(
        self,
        account: AccountKey,
        found: Sequence[Notification],
        via: Via,
        labels: Mapping[str, str] | None = None,
        *,
        first_start: bool = False,
    ) -> int:
        """Record what is new, durably, and return how many were. ``labels`` are added to each (``late``).

        What comes by `Via.CATCH_UP` obeys the account's catch-up policy, or its policy for the ``first_start``.
        """
        ...

    async def caught_up(self, account: AccountKey) -> None:
        """Say that a catch-up has read all that there was: digests of it may go out."""
        ...
