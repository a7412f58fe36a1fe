"""The composition root: from a configuration to everything that runs, and in which order it ends.

Tests start the daemon here, as the command line does. No arguments, no signals, no exit codes.
"""

from __future__ import annotations

import asyncio
import random
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog

from bellwire.acknowledge import Acknowledge
from bellwire.apis import APIS
from bellwire.apis.inbox import HttpInbox
from bellwire.apis.ration import Rations
from bellwire.channels import channels_of, settings_of
from bellwire.clock import SystemClock
from bellwire.config.rules import compile_rules
from bellwire.dispatch import Dispatch, Lane
from bellwire.http import HttpPool
from bellwire.intake import CatchUp, Intake, Mailbox, Rulebook
from bellwire.ledger.ledger import Ledger
from bellwire.metrics import Metrics
from bellwire.model import AccountKey
from bellwire.ports import ChannelPolicy, RateLimit
from bellwire.retention import Retention
from bellwire.sources.source import Source, Surroundings
from bellwire.view import DaemonView

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from datetime import datetime, timedelta

    from bellwire.config.schema import AccountConfig, ChannelConfig, Config, ReceiverConfig, WebConfig
    from bellwire.model import ChannelKey
    from bellwire.ports import Clock
    from bellwire.web.serve import WebServer

SEND_PATIENCE = 8.0
"""Seconds that sends under way may take after a stop; then they are left in doubt."""

_LEDGER_PATIENCE = 1.0
_LEASE_MARGIN = 30.0  # seconds of a lease beyond the longest send

_WIDTH = {"webhook": 64, "slack": 4, "email": 4, "apprise": 4}
"""How many sends of one channel may be under way at once."""

_DEFAULT_RATE = {"slack": RateLimit(per_second=1.0, burst=1, max_delay=30.0)}
"""What a vendor's own limit asks for, unless the receiver says otherwise."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, kw_only=True)
class App:
    """Everything that runs. Made by `opened`."""

    metrics: Metrics
    sources: tuple[Source, ...]
    acknowledgers: tuple[Acknowledge, ...]
    dispatchers: tuple[Dispatch, ...]
    retention: Retention
    view: DaemonView
    config: WebConfig

    async def run(self, stop: asyncio.Event, started: Callable[[], None] = lambda: None) -> None:
        """Run until ``stop`` is set, then end in order: take nothing new, finish what is being sent.

        ``started`` is called once everything runs. Raises what ended a part that should not have ended.
        """
        async with asyncio.TaskGroup() as group:
            inward = [group.create_task(source.run(), name=f"source-{source.key.name}") for source in self.sources]
            inward += [group.create_task(each.run(), name=f"marks-{each.account.name}") for each in self.acknowledgers]
            inward += [group.create_task(self.retention.run(), name="retention")]
            outward = [group.create_task(each.run(), name=f"dispatch-{each.key}") for each in self.dispatchers]
            async with self._web():
                started()
                log.info("started", accounts=len(self.sources), channels=len(self.dispatchers))
                await stop.wait()
                log.info("stopping")
                for task in inward:
                    task.cancel()
                for dispatcher in self.dispatchers:
                    dispatcher.stop()
                if outward:
                    _, late = await asyncio.wait(outward, timeout=SEND_PATIENCE)
                    for task in late:
                        task.cancel()
        log.info("stopped")

    @asynccontextmanager
    async def _web(self) -> AsyncIterator[None]:
        """Serve the status page, API and metrics. What they need is slow to import: sources need not wait for it."""
        if not self.config.listen:
            yield
            return
        web = await asyncio.to_thread(_web_server, self.view, self.metrics, self.config)
        await web.start()
        log.info("listening", url=web.url)
        try:
            yield
        finally:
            await web.stop()


def _web_server(view: DaemonView, metrics: Metrics, config: WebConfig) -> WebServer:
    from bellwire.web.serve import WebServer  # noqa: PLC0415 - see App._web

    return WebServer(view, metrics, config)


@asynccontextmanager
async def opened(config: Config, url: str, *, dry: bool = False) -> AsyncIterator[App]:
    """Open the ledger at ``url``, build the daemon over it, and close everything at the end.

    Dry: notifications are taken in, routed and shown; nothing is sent, nothing is marked. Raises `LedgerError`.
    """
    ledger = await Ledger.open(url, _clock)
    pool = HttpPool()
    try:
        app = _compose(config, ledger, pool, dry=dry)
        kept = [key for receiver in config.receivers for key in settings_of(receiver)]
        if removed := await ledger.retire_channels(kept):
            log.error("deliveries_dead", reason="channel_removed", deliveries=removed)
        await ledger.release_abandoned_digests([source.key for source in app.sources])
        yield app
    finally:
        await pool.close()
        await ledger.close(_LEDGER_PATIENCE)


def _clock(last: datetime | None) -> Clock:
    return SystemClock(not_before=last)


def _compose(config: Config, ledger: Ledger, pool: HttpPool, *, dry: bool) -> App:
    clock, metrics, chance = ledger.clock, Metrics(), random.Random()  # noqa: S311 - jitter guards nothing
    accounts = {AccountKey(name=account.name, base_url=account.base_url): account for account in config.accounts}
    rulebook = Rulebook(
        rules=compile_rules(config),
        channels={receiver.name: tuple(settings_of(receiver)) for receiver in config.receivers},
    )
    mailboxes = {key: _mailbox(account) for key, account in accounts.items()}
    intake = Intake(ledger, clock, metrics, rulebook, mailboxes, show=dry)
    rations = Rations(clock)
    sources, acknowledgers = [], []
    for key, account in accounts.items():
        metrics.add_account(account.name)
        inbox = HttpInbox(APIS[account.api](account), account, pool, clock, rations)
        around = Surroundings(clock=clock, metrics=metrics, rng=chance)
        sources.append(Source(account, inbox, intake, ledger, around))
        if not account.paused:
            acknowledgers.append(Acknowledge(key, inbox, ledger, clock, metrics, chance))
    lanes = [lane for receiver in config.receivers if not receiver.paused for lane in _lanes(receiver, pool)]
    dispatchers = [] if dry else [Dispatch(lane, ledger, clock, metrics, chance) for lane in lanes]
    view = DaemonView(config.accounts, ledger, sources, dispatchers, metrics.lag)
    return App(
        metrics=metrics,
        sources=tuple(sources),
        acknowledgers=() if dry else tuple(acknowledgers),
        dispatchers=tuple(dispatchers),
        retention=Retention(ledger, clock, config.storage.retention),
        view=view,
        config=config.web,
    )


def _mailbox(account: AccountConfig) -> Mailbox:
    return Mailbox(
        api=account.api,
        labels=account.labels,
        mark=account.mark_read,
        catch_up=CatchUp(
            policy=account.catch_up.policy,
            first_start=account.catch_up.first_start,
            max_age=account.catch_up.max_age,
        ),
    )


def _lanes(receiver: ReceiverConfig, pool: HttpPool) -> Iterator[Lane]:
    settings = settings_of(receiver)
    for key, channel in channels_of(receiver, pool).items():
        yield Lane(policy=_policy(key, receiver, settings[key]), channel=channel, width=_WIDTH[key.kind])


def _policy(key: ChannelKey, receiver: ReceiverConfig, channel: ChannelConfig) -> ChannelPolicy:
    rate = _DEFAULT_RATE.get(key.kind)
    if given := receiver.rate_limit:
        rate = RateLimit(per_second=given.per_second, burst=given.burst, max_delay=_seconds(given.max_delay))
    return ChannelPolicy(
        key=key,
        rate=rate,
        max_alerts=channel.max_alerts,
        initial_backoff=_seconds(receiver.retry.initial_backoff),
        max_backoff=_seconds(receiver.retry.max_backoff),
        max_age=_seconds(receiver.retry.max_age),
        lease=channel.send_timeout + _LEASE_MARGIN,
    )


def _seconds(duration: timedelta) -> float:
    return duration.total_seconds()
