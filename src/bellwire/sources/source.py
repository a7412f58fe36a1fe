"""The running connection to one account."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from bellwire.errors import BellwireError, LedgerError
from bellwire.model import AccountKey
from bellwire.sources.lister import Lister
from bellwire.sources.pace import Backoff
from bellwire.sources.report import Report, SourceStatus
from bellwire.sources.site import Site, Surroundings
from bellwire.sources.standing import Standing
from bellwire.sources.streamer import Streamer
from bellwire.states import SourceSignal

if TYPE_CHECKING:
    from bellwire.config.schema import AccountConfig
    from bellwire.ports import Inbox, Intake, SourceLedger

_TO_SAVE = 1.0  # seconds

__all__ = ["Source", "SourceStatus", "Surroundings"]


class Source:
    """Watches one account: every unread notification that its vendor lists, or streams, is handed to intake.

    One task tree an account: the streamer follows the stream, the lister reads the list; `Standing` is between them.
    """

    def __init__(
        self, account: AccountConfig, inbox: Inbox, intake: Intake, ledger: SourceLedger, around: Surroundings
    ) -> None:
        self._loaded = False
        self._pauses = Backoff(1.0, 60.0, around.rng)
        self._site = Site(
            account=account,
            key=AccountKey(name=account.name, base_url=account.base_url),
            inbox=inbox,
            intake=intake,
            ledger=ledger,
            clock=around.clock,
            rng=around.rng,
            report=Report(account.name, around.metrics, around.clock),
            standing=Standing(),
        )
        inbox.on_refusal(self._refused, self._admitted)

    @property
    def key(self) -> AccountKey:
        """Whose notifications these are."""
        return self._site.key

    @property
    def status(self) -> SourceStatus:
        """The source as it is now."""
        return self._site.report.status

    def _refused(self) -> None:
        """Follow a refusal that a read mark met: everything of the account waits with it."""
        self._site.report.signal(SourceSignal.DENIED)

    def _admitted(self) -> None:
        """Be again what the source had been all the while."""
        if self._site.standing.stream_open:
            self._site.report.signal(SourceSignal.STREAM_OPENED)
        elif self._site.standing.polling:
            self._site.report.signal(SourceSignal.POLLED)

    async def run(self) -> None:
        """Watch until cancelled; return at once if the account is paused. Raises nothing but CancelledError."""
        if self._site.account.paused:
            return
        self._site.report.signal(SourceSignal.START)
        try:
            while True:
                await self._watch_once()
        finally:
            self._site.report.signal(SourceSignal.STOP)
            await self._keep_position()

    async def _watch_once(self) -> None:
        """Watch until something of our own breaks; then wait a little, so that it begins anew and harms no other."""
        began = self._site.clock.now()
        try:
            await self._watch()
        except Exception as error:  # noqa: BLE001  # whatever it is, it must not end the account's watch
            self._site.standing.stream_lost()
            self._site.standing.polling = False
            cause = _first_cause(error)
            self._site.report.broken(_reason(cause), _where(cause))
            self._site.report.signal(SourceSignal.STREAM_FAILED)
            self._site.report.signal(SourceSignal.POLL_FAILED)
        if (self._site.clock.now() - began).total_seconds() > 60:  # noqa: PLR2004  # it had been well
            self._pauses.reset()
        await self._site.clock.sleep(self._pauses.next())
        self._site.report.signal(SourceSignal.RETRY)

    async def _watch(self) -> None:
        site = self._site
        if not self._loaded:
            site.standing.load(await site.ledger.position(site.key))
            self._loaded = True
        if site.account.mode == "poll":
            site.standing.poll()
        async with asyncio.TaskGroup() as group:
            group.create_task(Lister(site).run(), name=f"list {site.key.name}")
            if site.account.mode != "poll":
                group.create_task(Streamer(site).run(), name=f"stream {site.key.name}")

    async def _keep_position(self) -> None:
        """Write where the source stands, even while it is cancelled."""
        if not self._loaded:
            return
        saving = asyncio.ensure_future(self._site.save())
        saving.add_done_callback(_forget)
        # Without it the next start reads a little more of the list; a ledger that cannot write must not hold up the end.
        with contextlib.suppress(Exception):
            async with asyncio.timeout(_TO_SAVE):
                await asyncio.shield(saving)


def _forget(saving: asyncio.Future[None]) -> None:
    if not saving.cancelled():
        saving.exception()  # looked at, so that nobody is told that it was not


def _first_cause(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def _reason(error: BaseException) -> str:
    return "ledger" if isinstance(error, LedgerError) else "internal"


def _where(error: BaseException) -> str:
    """Say what broke and where, without the text of a foreign error, which may hold anything."""
    if isinstance(error, BellwireError):
        return str(error)
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = "" if trace is None else f" in {trace.tb_frame.f_code.co_qualname}, line {trace.tb_lineno}"
    return f"{type(error).__name__}{place}"
