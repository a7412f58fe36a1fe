"""The composition root: from a configuration to everything that runs, what a reload changes, and how it ends.

Tests start the daemon here, as the command line does. No arguments, no signals, no exit codes.
"""

from __future__ import annotations

import asyncio
import random
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import structlog

from bellwire import channels
from bellwire.apis import APIS
from bellwire.apis.inbox import HttpInbox
from bellwire.apis.ration import Rations
from bellwire.assembly import (
    accounts_of,
    channels_of,
    mailbox_of,
    policies_of,
    rulebook_of,
    stand_ins_of,
    stationery_of,
    still_there,
)
from bellwire.buttons.apps import SlackApps
from bellwire.clock import SystemClock
from bellwire.errors import BellwireError, LedgerError
from bellwire.http import HttpPool
from bellwire.intake import Intake
from bellwire.ledger.ledger import Ledger
from bellwire.metrics import Metrics
from bellwire.serving import Means, Services
from bellwire.sources.keeping import keep_positions
from bellwire.sources.site import Surroundings
from bellwire.upkeep import Upkeep
from bellwire.view import DaemonView
from bellwire.watches import Watches

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
    from datetime import datetime

    from bellwire.config.schema import AccountConfig, Config, WebConfig
    from bellwire.dispatch import Dispatch
    from bellwire.model import ChannelKey
    from bellwire.ports import Channel, Clock, Inbox
    from bellwire.records import ChannelPolicy, Fallback
    from bellwire.sources.source import Source
    from bellwire.web.serve import WebServer

SEND_PATIENCE = 8.0
"""Seconds that sends under way may take after a stop; then they are left in doubt."""

_LEDGER_PATIENCE = 1.0

log = structlog.get_logger(__name__)


class App:
    """Everything that runs. Made by `opened`; `run` it once.

    ``reread`` loads the configuration anew for a reload; it raises `ConfigError`.
    """

    def __init__(
        self, config: Config, ledger: Ledger, pool: HttpPool, reread: Callable[[], Config] | None, *, dry: bool
    ) -> None:
        self._config = config
        self._ledger = ledger
        self._pool = pool
        self._reread = reread
        self._dry = dry
        self._chance = random.Random()  # noqa: S311 - jitter guards nothing
        self._rations = Rations(ledger.clock)
        self._group: asyncio.TaskGroup | None = None
        self._means = Means(clock=ledger.clock, metrics=Metrics(), chance=self._chance, spawn=self._spawn)
        self._services = Services(ledger, self._means, "dispatch")
        self._leaving: set[asyncio.Task[None]] = set()
        self._changing = asyncio.Lock()
        self._stopping = False
        self._stand_ins: dict[str, tuple[Fallback, ...]] = {}
        self.reload_failure: str | None = None
        """Why the last reload failed; None if it did not."""
        self.reloaded_at: datetime | None = None
        """When the last reload ended, well or not, by the wall's clock; None if there was none."""
        self._built: dict[ChannelKey, Channel] = {}
        self.metrics = self._means.metrics
        ledger.on_suppressed = self.metrics.count_suppressed
        self._intake = Intake(ledger, ledger.clock, self.metrics, rulebook_of(config), {}, show=dry)
        around = Surroundings(clock=ledger.clock, metrics=self.metrics, rng=self._chance)
        self._watches = Watches(ledger, self._intake, around, dry=dry)
        self.view = DaemonView(self, ledger)
        self.upkeep = Upkeep(self, ledger, pool, self._means, self.view.stalled)
        self._slack_apps = SlackApps(ledger, pool, self._means)

    @property
    def watched(self) -> list[tuple[AccountConfig, Source]]:
        """The accounts, in the order of the configuration, each with its source."""
        return [(watch.account, watch.source) for watch in self._watches.by_key.values()]

    def watch_of(self, name: str) -> list[tuple[AccountConfig, Source]]:
        """Return the account of this name, with its source; nothing if there is none."""
        watch = self._watches.by_name.get(name)
        return [] if watch is None else [(watch.account, watch.source)]

    @property
    def dry(self) -> bool:
        """Whether notifications are only taken in, routed and shown: nothing is sent, nothing marked as read."""
        return self._dry

    @property
    def config(self) -> Config:
        """The configuration that is in force."""
        return self._config

    @property
    def built(self) -> Mapping[ChannelKey, Channel]:
        """Every channel of the configuration, those of paused receivers too."""
        return self._built

    @property
    def unread(self) -> Mapping[str, int | None]:
        """How many notifications each account's vendor last said are unread there, by the account's name."""
        return {watch.account.name: watch.inbox.unread for watch in self._watches.by_key.values()}

    @property
    def receivers(self) -> Mapping[str, tuple[ChannelPolicy, ...]]:
        """Every receiver of the configuration, with its channels."""
        return policies_of(self._config)

    @property
    def dispatchers(self) -> list[Dispatch]:
        """What sends, a channel each."""
        return self._services.dispatchers

    @property
    def slack_apps(self) -> list[dict[str, Any]]:
        """How the connections of Slack apps stand: ``receivers connected_at error``."""
        return self._slack_apps.standing()

    @property
    def tellers(self) -> list[Dispatch]:
        """What tells of troubles, a channel each."""
        return self.upkeep.services.dispatchers

    @property
    def inboxes(self) -> list[tuple[AccountConfig, Inbox]]:
        """The accounts that are not paused, each with its inbox at its vendor."""
        return [(watch.account, watch.inbox) for watch in self._watches.by_key.values() if not watch.account.paused]

    @property
    def ended(self) -> list[str]:
        """What should run and does not, a sentence each: this must never be."""
        accounts = [f"the watch of account {name} has ended" for name in self._watches.ended]
        return accounts + [f"dispatch to {key} has ended" for key in self._services.ended] + self.upkeep.stuck()

    async def run(self, stop: asyncio.Event, started: Callable[[], None] = lambda: None) -> None:
        """Run until ``stop`` is set, then end in order: take nothing new, finish what is being sent.

        ``started`` is called once everything runs. Raises what ended a part that should not have ended.
        """
        async with asyncio.TaskGroup() as self._group:
            self.upkeep.start(self._config)
            self._watching = self._spawn(self._watches.run(), "watches")
            await self._apply(self._config)
            self._keeping = self._spawn(keep_positions(lambda: self._watches.sources, self._ledger.clock), "positions")
            self.metrics.config_last_reload_successful.set(1)
            async with self._web(self._config.web):
                started()
                log.info("started", accounts=len(self._watches.by_key), channels=len(self.dispatchers))
                await stop.wait()
                log.info("stopping")
                await self._end()
        log.info("stopped")

    async def reload(self) -> None:
        """Read the configuration again and change to it, all or nothing. Raises `ConfigError`: then nothing has changed.

        Accounts and channels that stay as they are notice nothing of it. ``web``, ``storage`` and ``global`` need a
        restart, which is logged.
        """
        assert self._reread is not None
        async with self._changing:
            try:
                config = await asyncio.to_thread(self._reread)
                if self._stopping:
                    return
                await self._apply(config)
            except Exception as error:
                self.metrics.config_last_reload_successful.set(0)
                self.reload_failure = str(error) if isinstance(error, BellwireError) else type(error).__name__
                self.reloaded_at = self._ledger.clock.wall()
                raise
            self.reload_failure = None
            self.reloaded_at = self._ledger.clock.wall()
            for section in ("web", "storage", "global_"):
                if getattr(config, section) != getattr(self._config, section):
                    log.warning("restart_needed", section=section.rstrip("_"))
            self._config = config
            self.metrics.config_last_reload_successful.set(1)
            log.info("reloaded", accounts=len(self._watches.by_key), channels=len(self.dispatchers))

    async def _apply(self, config: Config) -> None:
        """Bring what runs to what ``config`` wants. Everything that can fail comes first."""
        accounts, plans, rulebook = accounts_of(config), channels_of(config), rulebook_of(config)
        watched = self._watches.by_key
        built = {
            key: channel
            for receiver in config.receivers
            for key, channel in channels.channels_of(receiver, self._pool, stationery_of(config)).items()
        }
        new_inboxes = {
            key: HttpInbox(APIS[account.api](account), account, self._pool, self._ledger.clock, self._rations)
            for key, account in accounts.items()
            if key not in watched or watched[key].account != account
        }
        for account_key in [key for key in watched if key not in accounts or key in new_inboxes]:
            await self._watches.remove(account_key)
        self._intake.change(rulebook, {key: mailbox_of(account) for key, account in accounts.items()})
        self._stand_ins |= stand_ins_of(config)  # receivers that are gone keep theirs: what waits for them falls back
        self._ledger.follow(rulebook.rules.calendar, rulebook.rules.zone)
        for account_key, inbox in new_inboxes.items():
            self.metrics.add_account(account_key.name)
            self._watches.add(account_key, accounts[account_key], inbox)
        self._watches.begin()
        self._watches.order(accounts)
        ended = self._services.change({} if self._dry else plans, built)
        self.upkeep.change(config, built, dry=self._dry)
        self._slack_apps.change(config, dry=self._dry)
        self._built = built
        self._leave(self._spawn(self._tidy(ended), "tidy"))

    def _leave(self, task: asyncio.Task[None]) -> None:
        """Remember a task that ends by itself, for as long as it has not."""
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)

    async def _tidy(self, ended: list[asyncio.Task[None]]) -> None:
        """Settle what is left of channels and accounts that are gone, once nothing of theirs is under way."""
        if ended:
            await asyncio.wait(ended)
        async with self._changing:  # what is gone is what is gone by now: another reload may have brought it back
            config = self._config
            try:
                kept = list(channels_of(config))
                if removed := await self._ledger.retire_channels(kept, still_there(self._stand_ins, kept)):
                    log.error("deliveries_dead", reason="channel_removed", deliveries=removed)
                await self._ledger.release_abandoned_digests(list(accounts_of(config)))
            except LedgerError as error:
                log.error("tidy_failed", error=str(error))

    async def _end(self) -> None:
        self._stopping = True
        self._keeping.cancel()
        self._watching.cancel()
        self._services.stop()
        self.upkeep.stop()
        self._slack_apps.stop()
        if leaving := self._leaving | self._services.leaving | self.upkeep.services.leaving:
            _, late = await asyncio.wait(leaving, timeout=SEND_PATIENCE)
            for task in late:
                task.cancel()

    def _spawn(self, work: Coroutine[None, None, None], name: str) -> asyncio.Task[None]:
        assert self._group is not None
        task = self._group.create_task(work, name=name)
        if self._stopping:  # a reload was under way when the end came
            task.cancel()
        return task

    @asynccontextmanager
    async def _web(self, config: WebConfig) -> AsyncIterator[None]:
        """Serve the status page, API and metrics. What they need is slow to import: sources need not wait for it."""
        if not config.listen:
            yield
            return
        web = await asyncio.to_thread(_web_server, self.view, self.metrics, config)
        await web.start()
        log.info("listening", url=web.url)
        try:
            yield
        finally:
            await web.stop()


@asynccontextmanager
async def opened(
    config: Config, url: str, *, reread: Callable[[], Config] | None = None, dry: bool = False
) -> AsyncIterator[App]:
    """Open the ledger at ``url``, build the daemon over it, and close everything at the end.

    Dry: notifications are taken in, routed and shown; nothing is sent, nothing is marked. Raises `LedgerError`.
    """
    ledger = await Ledger.open(url, _clock)
    pool = HttpPool()
    try:
        yield App(config, ledger, pool, reread, dry=dry)
    finally:
        await pool.close()
        await ledger.close(_LEDGER_PATIENCE)


def _clock(last: datetime | None) -> Clock:
    return SystemClock(not_before=last)


def _web_server(view: DaemonView, metrics: Metrics, config: WebConfig) -> WebServer:
    from bellwire.web.serve import WebServer  # noqa: PLC0415 - see App._web

    return WebServer(view, metrics, config)
