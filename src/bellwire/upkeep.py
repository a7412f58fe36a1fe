"""What looks after the daemon itself: stand-ins, retention, the audit, the watch over troubles and who tells of them, the heartbeat."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol
from zoneinfo import ZoneInfo

from bellwire.assembly import channels_of
from bellwire.auditor import Auditor
from bellwire.meta.conditions import WORKING
from bellwire.meta.heartbeat import Heartbeat
from bellwire.meta.sight import AccountSight, Shortfall, Sight
from bellwire.meta.unwritable import UnwritableLedger
from bellwire.meta.watch import Watch
from bellwire.retention import Retention
from bellwire.serving import Services
from bellwire.standby import Standby
from bellwire.timekeeping import Timekeeping

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Awaitable, Callable, Mapping

    from bellwire.assembly import ChannelPlan
    from bellwire.config.schema import AccountConfig, Config
    from bellwire.http import HttpPool
    from bellwire.ledger.ledger import Ledger
    from bellwire.model import ChannelKey
    from bellwire.ports import Channel
    from bellwire.serving import Means
    from bellwire.sources.source import Source

_FOR_EVER = 100 * 365 * 86_400.0
"""Seconds: a message about a trouble does not die of age, for the trouble is worth knowing of whenever it can be told."""

_ONE_AT_A_TIME = dict.fromkeys(("slack", "email", "webhook", "apprise"), 1)
_WATCH_STUCK_AFTER = 60.0  # seconds


class Looked(Protocol):
    """The daemon, as far as the watch looks at it."""

    def watch_of(self, name: str) -> list[tuple[AccountConfig, Source]]:
        """Return the account of this name, with its source; nothing if there is none."""
        ...

    @property
    def reload_failure(self) -> str | None:
        """Why the last reload failed; None if it did not."""
        ...


class Upkeep:
    """Made once; `start` with the first configuration, `change` with each later one, `stop` at the end."""

    def __init__(
        self,
        daemon: Looked,
        ledger: Ledger,
        pool: HttpPool,
        means: Means,
        stalled: Callable[[], Awaitable[list[str]]],
    ) -> None:
        self._daemon = daemon
        self._ledger = ledger
        self._pool = pool
        self._means = means
        self._stalled = stalled
        self._config: Config | None = None
        self._limited: frozenset[str] = frozenset()  # accounts with a limit to their silence
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._watch: Watch | None = None
        self._heartbeat: Heartbeat | None = None
        self._standby = Standby(ledger, ledger.clock)
        self.auditor = Auditor(ledger, ledger.clock, means.metrics)
        self.services = Services(ledger.messages, means, "meta", _ONE_AT_A_TIME)

    def start(self, config: Config) -> None:
        """Begin all that does not follow the configuration."""
        ledger, keep = self._ledger, config.storage.retention
        self._watch = Watch(self._look, ledger, ledger.clock, keep)
        unwritable = UnwritableLedger(ledger, self._look, lambda: self.services.lanes, self._means.chance)
        work = {
            "standby": self._standby.run(),
            "retention": Retention(ledger, ledger.clock, keep).run(),
            "timekeeping": Timekeeping(ledger, ledger.clock).run(),
            "audit": self.auditor.run(),
            "troubles": self._watch.run(),
            "ledger-watch": unwritable.run(),
        }
        self._tasks = {name: self._means.spawn(each, name) for name, each in work.items()}

    def change(self, config: Config, built: Mapping[ChannelKey, Channel], *, dry: bool) -> None:
        """Tell ``config``'s meta receiver from now on, and call its heartbeat. Dry: neither is done."""
        before, self._config = self._config, config
        self._limited = frozenset(account.name for account in config.accounts if account.alert_when_silent)
        self.services.change({} if dry else told_by(config), built)
        self._standby.change(() if dry else (plan.policy for plan in channels_of(config).values()))
        if dry or (before is not None and before.heartbeat == config.heartbeat):
            return
        if (old := self._tasks.pop("heartbeat", None)) is not None:
            old.cancel()
        self._heartbeat = None
        if config.heartbeat is not None:
            clock, metrics = self._ledger.clock, self._means.metrics
            self._heartbeat = Heartbeat(config.heartbeat, self._pool, self._stalled, clock, metrics)
            self._tasks["heartbeat"] = self._means.spawn(self._heartbeat.run(), "heartbeat")

    def stop(self) -> None:
        """End it; messages under way are finished by `services`."""
        for task in self._tasks.values():
            task.cancel()
        self.services.stop()

    def stuck(self) -> list[str]:
        """Return what of it makes no progress, a sentence each."""
        reasons = [f"{name.replace('-', ' ')} has ended" for name, task in self._tasks.items() if task.done()]
        # A watch that waits for a ledger that cannot write is not what is stuck.
        if self._watch and self._ledger.trouble is None and self._watch.stuck_for() > _WATCH_STUCK_AFTER:
            reasons.append(f"the watch over troubles has made no progress for {self._watch.stuck_for():.0f} s")
        return reasons

    def pulse(self) -> dict[str, Any] | None:
        """Return how the heartbeat goes: ``last_success_at``, ``failing`` and ``withheld``; None if there is none."""
        if self._heartbeat is None:
            return None
        pulse = self._heartbeat.pulse
        return {"last_success_at": pulse.last_success_at, "failing": pulse.failing, "withheld": pulse.withheld}

    def _look(self) -> Sight:
        config = self._config
        if config is None:
            return Sight()
        balance = self.auditor.last
        # Every two seconds, of thousands of accounts that are well: what is asked of each is one state, kept side by side.
        states = self._means.metrics.accounts.states
        well = frozenset([name for name, state in states.items() if state in WORKING])
        return Sight(
            accounts=tuple(
                _sight(account, source)
                for name in self._limited | (states.keys() - well)
                for account, source in self._daemon.watch_of(name)
                if not account.paused
            ),
            well=well,
            channels=tuple(channels_of(config)),
            told=tuple(told_by(config)),
            reload_failure=self._daemon.reload_failure,
            shortfall=None if balance is None else _shortfall(balance),
            zone=ZoneInfo(config.global_.timezone),
            page=config.web.external_url,
        )


def _sight(account: AccountConfig, source: Source) -> AccountSight:
    status = source.status
    return AccountSight(
        key=source.key,
        state=status.state,
        since=status.since,
        last_item_at=status.last_item_at,
        last_error=status.last_error,
        silence=account.alert_when_silent.total_seconds(),
    )


def told_by(config: Config) -> dict[ChannelKey, ChannelPlan]:
    """Return the channels of the meta receiver, as they tell of troubles."""
    return {
        key: replace(plan, policy=replace(plan.policy, max_age=_FOR_EVER))
        for key, plan in channels_of(config).items()
        if key.receiver == config.meta_receiver
    }


def _shortfall(balance: Mapping[str, Any]) -> Shortfall:
    faults = tuple(f"{fault['fault']}: {fault['alerts']:,}" for fault in balance["faults"])
    return Shortfall(alerts=balance["unaccounted"], faults=faults)
