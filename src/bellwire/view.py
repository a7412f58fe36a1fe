"""The running daemon as it may be looked at: what `bellwire.web.view.View` asks, answered from ledger and sources."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any, Protocol

import structlog

from bellwire import __version__
from bellwire.channels import complaints_of
from bellwire.crosscheck import Records, cross_check, not_asked
from bellwire.errors import LedgerError
from bellwire.insight import Insight
from bellwire.ledger import reading
from bellwire.ledger.letters import answer_of
from bellwire.ledger.troubles import read_troubles
from bellwire.model import AccountKey, SourceState
from bellwire.records import Expiry
from bellwire.web.view import MAX_STORIES, InsightView, SilenceView

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from sqlalchemy import Connection

    from bellwire.config.schema import AccountConfig, Config
    from bellwire.dispatch import Dispatch
    from bellwire.ledger.ledger import Ledger
    from bellwire.ledger.silences import Silences
    from bellwire.metrics import Metrics
    from bellwire.model import ChannelKey, DeliveryState
    from bellwire.ports import Channel, Inbox
    from bellwire.records import ChannelPolicy, LetterOrder, Letters, NewSilence
    from bellwire.routing.matchers import Matcher
    from bellwire.sources.report import SourceStatus
    from bellwire.sources.source import Source
    from bellwire.upkeep import Upkeep

Answer = dict[str, Any]

log = structlog.get_logger(__name__)

STUCK_AFTER = 15.0
"""Seconds without a turn, though there is work, after which a part makes no progress."""

_EVENTS = 20
_LEDGER_PATIENCE = 2.0  # seconds for a commit
_WORKING = frozenset({SourceState.STREAMING, SourceState.POLLING})
_NOT_ASKED = frozenset({SourceState.UNAUTHORIZED, SourceState.BACKING_OFF})  # calls would wait, or fail as the last did


class Daemon(Protocol):
    """What runs, as far as it may be looked at."""

    @property
    def watched(self) -> list[tuple[AccountConfig, Source]]:
        """The accounts in the order of the configuration, each with its source."""
        ...

    @property
    def dispatchers(self) -> list[Dispatch]:
        """What sends, a channel each."""
        ...

    @property
    def metrics(self) -> Metrics:
        """What is counted."""
        ...

    @property
    def slack_apps(self) -> list[Answer]:
        """How the connections of Slack apps stand: ``receivers connected_at error``."""
        ...

    @property
    def tellers(self) -> list[Dispatch]:
        """What tells of troubles, a channel each."""
        ...

    @property
    def inboxes(self) -> list[tuple[AccountConfig, Inbox]]:
        """The accounts that are not paused, each with its inbox at its vendor."""
        ...

    @property
    def ended(self) -> list[str]:
        """What should run and does not, or makes no progress, a sentence each."""
        ...

    @property
    def dry(self) -> bool:
        """Whether nothing is sent, and nothing marked as read."""
        ...

    @property
    def config(self) -> Config:
        """The configuration that is in force."""
        ...

    @property
    def built(self) -> Mapping[ChannelKey, Channel]:
        """Every channel of the configuration."""
        ...

    @property
    def unread(self) -> Mapping[str, int | None]:
        """How many notifications each account's vendor last said are unread there, by the account's name."""
        ...

    @property
    def reload_failure(self) -> str | None:
        """Why the last reload failed; None if it did not."""
        ...

    @property
    def reloaded_at(self) -> datetime | None:
        """When the last reload ended; None if there was none."""
        ...

    @property
    def receivers(self) -> Mapping[str, tuple[ChannelPolicy, ...]]:
        """Every receiver of the configuration, with its channels."""
        ...

    @property
    def upkeep(self) -> Upkeep:
        """What looks after the daemon itself."""
        ...

    async def reload(self) -> None:
        """Change to the configuration as it is now; ConfigError if it cannot be used."""
        ...


class DaemonView:
    """Implements `bellwire.web.view.View`."""

    def __init__(self, daemon: Daemon, ledger: Ledger) -> None:
        self._daemon = daemon
        self._ledger = ledger
        self._auditing = asyncio.Lock()
        self.silences: SilenceView = _Silences(ledger.silences)
        self.insight: InsightView = Insight(daemon, ledger)
        self._started_at = ledger.clock.wall()

    @property
    def dry_run(self) -> bool:
        """Whether nothing is sent, and nothing marked as read."""
        return self._daemon.dry

    async def overview(self) -> Answer:
        """Return how things stand now."""

        def question(connection: Connection) -> Answer:
            return {
                "channels": reading.read_channels(connection),
                "totals": reading.read_totals(connection),
                "events": reading.read_source_events(connection, _EVENTS),
                "troubles": read_troubles(connection),
            }

        answer = await self._ledger.ask(question)
        unread = self._daemon.unread
        accounts = [
            self._account(account, source.status, unread.get(account.name)) for account, source in self._daemon.watched
        ]
        return answer | {
            "now": self._ledger.clock.wall(),
            "started_at": self._started_at,
            "version": __version__,
            "accounts": accounts,
            "heartbeat": self._daemon.upkeep.pulse(),
            "slack_apps": self._daemon.slack_apps,
            "notes": complaints_of(self._daemon.built),
            "dry_run": self.dry_run,
        }

    async def totals(self) -> dict[str, int]:
        """Return the present number of everything."""
        return await self._ledger.ask(reading.read_totals)

    async def recent_alerts(self, limit: int, before: str | None = None) -> list[Answer]:
        """Return the newest alerts."""
        return await self._ledger.ask(lambda connection: reading.recent_alerts(connection, limit, before))

    async def explain(self, reference: str) -> list[Answer]:
        """Return the whole story of each alert that ``reference`` names, the newest first."""
        return await self._ledger.ask(lambda connection: reading.explain(connection, reference, MAX_STORIES))

    async def deliveries(
        self, state: DeliveryState | None, limit: int, *, receiver: str | None = None, before: str | None = None
    ) -> list[Answer]:
        """Return the newest deliveries."""
        return await self._ledger.ask(
            lambda connection: reading.list_deliveries(connection, state, limit, receiver=receiver, before=before)
        )

    async def audit(self, *, vendors: bool = False) -> Answer:
        """Return the balance, held against each vendor's list if asked."""
        async with self._auditing:  # one at a time: each reads the whole ledger
            balance = await self._daemon.upkeep.auditor.audit()
        if not vendors:
            return balance | {"vendors": []}
        inboxes = {account.name: inbox for account, inbox in self._daemon.inboxes}
        checks = [
            self._check(account, source.status, inboxes.get(account.name)) for account, source in self._daemon.watched
        ]
        return balance | {"vendors": await asyncio.gather(*checks)}

    async def _check(self, account: AccountConfig, status: SourceStatus, inbox: Inbox | None) -> Answer:
        if account.paused or inbox is None:
            return not_asked(account.name, "it is paused")
        if status.state in _NOT_ASKED:
            why = f": {status.last_error}" if status.last_error else ""
            return not_asked(account.name, f"it is {status.state.value.replace('_', ' ')}{why}")
        key, ledger = AccountKey(name=account.name, base_url=account.base_url), self._ledger
        records = Records(known=lambda ids: ledger.recorded(key, ids), whole_until=lambda: ledger.whole_until(key))
        return await cross_check(account.name, inbox, records)

    async def readiness(self, seen: Answer | None = None) -> list[str]:
        """Return why Bellwire is not ready, a sentence each."""
        reasons = await self._ledger_troubles()
        if seen is not None:
            idle = [each for each in seen["accounts"] if not (each["paused"] or each["state"] in _WORKING)]
            told = [(each["name"], each["state"], each["last_error"]) for each in idle]
        else:
            looks = [(account, source.status) for account, source in self._daemon.watched if not account.paused]
            told = [(it.name, at.state, at.last_error) for it, at in looks if at.state not in _WORKING]
        for name, state, error in told:
            why = f": {error}" if error else ""
            reasons.append(f"account {name} is {state.value.replace('_', ' ')}{why}")
        return reasons + self.stuck()

    def stuck(self) -> list[str]:
        """Return what makes no progress though it has work, a sentence each."""
        parts = [("dispatch to", each) for each in self._daemon.dispatchers]
        parts += [("telling of troubles to", each) for each in self._daemon.tellers]
        return [
            f"{what} {each.key} has made no progress for {seconds:.0f} s"
            for what, each in parts
            if (seconds := each.stuck_for()) > STUCK_AFTER
        ] + self._daemon.ended

    async def stalled(self) -> list[str]:
        """Return all that keeps Bellwire from its work but vendors and receivers: what the heartbeat falls silent for."""
        return await self._ledger_troubles() + self.stuck()

    async def replay(self, order: LetterOrder) -> Answer:
        """Send again what the order names: to its own channels, or those of the receiver that it names."""
        letters = await self._ledger.letters.replay(order, self._daemon.receivers)
        return _told("deliveries_replayed", order, letters)

    async def abandon(self, order: LetterOrder) -> Answer:
        """Give up what the order names."""
        return _told("deliveries_abandoned", order, await self._ledger.letters.abandon(order))

    async def reload(self, who: str, how: str = "") -> None:
        """Change to the configuration as it is now; ConfigError if it cannot be used. Either way it is kept who asked."""
        outcome = "failed"
        try:
            await self._daemon.reload()
            outcome = "in force"
        finally:
            log.info("reload_asked", by=who, how=how, outcome=outcome)
            await self._note(who, how, outcome)

    async def _note(self, who: str, how: str, outcome: str) -> None:
        """Keep it, unless the ledger cannot be written now: a reload may be what mends that."""
        with contextlib.suppress(TimeoutError, LedgerError):
            async with asyncio.timeout(_LEDGER_PATIENCE):
                await self._ledger.note_action(who, "reload_asked", {"outcome": outcome}, how)

    async def progressing(self) -> bool:
        """Return whether ledger and dispatch still move: what the service manager's watchdog is fed by.

        A ledger that says what its trouble is keeps outcomes that a restart would lose, so it counts as moving.
        """
        troubles = await self._ledger_troubles()
        return (not troubles or self._ledger.trouble is not None) and not self.stuck()

    async def _ledger_troubles(self) -> list[str]:
        if trouble := self._ledger.trouble:  # asking again would only lengthen its queue
            return [f"the ledger cannot write: {trouble.error}"]
        try:
            async with asyncio.timeout(_LEDGER_PATIENCE):
                await self._ledger.ping()
        except TimeoutError:
            return ["the ledger takes too long to write"]
        except LedgerError as error:
            return [f"the ledger cannot write: {error}"]
        return []

    def _account(self, account: AccountConfig, status: SourceStatus, unread: int | None) -> Answer:
        return {
            "name": account.name,
            "api": account.api,
            "base_url": account.base_url,
            "paused": account.paused,
            "state": status.state,
            "since": status.since,
            "last_item_at": status.last_item_at,
            "last_error": status.last_error,
            "reconnects": status.reconnects,
            "missed": status.missed,
            "unread": unread,
            "lag": self._daemon.metrics.accounts.lag(account.name) if status.last_item_at else None,
        }


class _Silences:
    """The ledger's silences; what is done with them is logged."""

    def __init__(self, silences: Silences) -> None:
        self._silences = silences

    async def every(self, ended: int, before: str | None = None) -> list[Answer]:
        """Return all that stand and the last ``ended`` that do no more."""
        return await self._silences.every(ended, before)

    async def preview(self, matchers: Sequence[Matcher]) -> list[Answer]:
        """Return which alerts a silence with these matchers would meet."""
        return await self._silences.preview(matchers)

    async def add(self, silence: NewSilence) -> str:
        """Write it, and return its id."""
        silence_id = await self._silences.add(silence)
        said = {"matchers": silence.matchers, "ends_at": silence.ends_at.isoformat()}
        log.info("silence_added", by=silence.author, how=silence.how, silence=silence_id, **said)
        return silence_id

    async def expire(self, silence_id: str, who: str, how: str = "") -> Expiry:
        """End it now."""
        outcome = await self._silences.expire(silence_id, who, how)
        if outcome is Expiry.EXPIRED:
            log.info("silence_expired", by=who, how=how, silence=silence_id)
        return outcome


def _told(event: str, order: LetterOrder, letters: Letters) -> Answer:
    answer = answer_of(letters)
    if letters.letters and not order.dry:
        log.info(
            event, by=order.who, how=order.how, deliveries=len(letters.letters), alerts=answer["alerts"], to=order.to
        )
    return answer
