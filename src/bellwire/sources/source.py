"""The running connection to one account."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from bellwire.errors import BellwireError, LedgerError
from bellwire.model import AccountKey, SourceState
from bellwire.sources.lister import Lister
from bellwire.sources.pace import Backoff
from bellwire.sources.reader import Reader
from bellwire.sources.report import Report, SourceStatus
from bellwire.sources.site import Site, Surroundings
from bellwire.sources.standing import Standing
from bellwire.sources.streamer import Streamer
from bellwire.states import SourceSignal

if TYPE_CHECKING:
    from datetime import datetime

    from bellwire.config.schema import AccountConfig
    from bellwire.ports import Inbox, Intake, SourceLedger

_TO_SAVE = 1.0  # seconds
_UNDER_WAY = frozenset({SourceState.CONNECTING, SourceState.STREAMING, SourceState.POLLING})

__all__ = ["Source", "SourceStatus", "Surroundings"]


class Source:
    """Watches one account: every unread notification that its vendor lists, or streams, is handed to intake.

    One task an account, that follows the stream, and a second one while the list is read; `Standing` is between them.
    """

    __slots__ = ("_loaded", "_pauses", "_site")

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

    @property
    def state(self) -> SourceState:
        """Its state alone, for those who look at thousands."""
        return self._site.report.state

    @property
    def is_beginning(self) -> bool:
        """Whether its first connection, or the first reading of its list, is under way: it has not failed either."""
        return not self._site.begun and self.state in _UNDER_WAY

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
                began = self._site.clock.now()
                try:
                    await self._watch()
                except Exception as error:  # noqa: BLE001  # whatever it is, it must not end the account's watch
                    self._broke(error)
                await self._pause(began)
        finally:
            self._site.report.signal(SourceSignal.STOP)
            await self._keep_position()

    def _broke(self, error: Exception) -> None:
        """Take note that something of our own broke: it begins anew, and harms no other account."""
        self._site.standing.stream_lost()
        self._site.standing.polling = False
        cause = _first_cause(error)
        self._site.report.broken(_reason(cause), _where(cause))
        self._site.report.signal(SourceSignal.STREAM_FAILED)
        self._site.report.signal(SourceSignal.POLL_FAILED)

    async def _pause(self, began: datetime) -> None:
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
        async with Reader(site, Lister(site)):
            if site.account.mode != "poll":
                await Streamer(site).run()
            await asyncio.get_running_loop().create_future()  # for ever

    async def save(self) -> None:
        """Keep where the source stands, if it runs."""
        if self._loaded and not self._site.account.paused:
            await self._site.save()

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
