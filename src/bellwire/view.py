"""The running daemon as it may be looked at: what `bellwire.web.view.View` asks, answered from ledger and sources."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Protocol

from bellwire import __version__
from bellwire.errors import LedgerError
from bellwire.ledger import auditing, reading
from bellwire.model import SourceState
from bellwire.web.view import MAX_STORIES

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from bellwire.config.schema import AccountConfig
    from bellwire.dispatch import Dispatch
    from bellwire.ledger.ledger import Ledger
    from bellwire.metrics import Metrics
    from bellwire.model import DeliveryState
    from bellwire.sources.source import Source

Answer = dict[str, Any]

STUCK_AFTER = 15.0
"""Seconds without a turn, though there is work, after which a part makes no progress."""

_EVENTS = 20
_LEDGER_PATIENCE = 2.0  # seconds for a commit
_WORKING = frozenset({SourceState.STREAMING, SourceState.POLLING})


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

    async def reload(self) -> None:
        """Change to the configuration as it is now; ConfigError if it cannot be used."""
        ...


class DaemonView:
    """Implements `bellwire.web.view.View`."""

    def __init__(self, daemon: Daemon, ledger: Ledger) -> None:
        self._daemon = daemon
        self._ledger = ledger
        self._auditing = asyncio.Lock()
        self._started_at = ledger.clock.wall()

    async def overview(self) -> Answer:
        """Return how things stand now."""

        def question(connection: Connection) -> Answer:
            return {
                "channels": reading.read_channels(connection),
                "totals": reading.read_totals(connection),
                "events": reading.read_source_events(connection, _EVENTS),
            }

        answer = await self._ledger.ask(question)
        accounts = [self._account(account, source) for account, source in self._daemon.watched]
        return answer | {
            "now": self._ledger.clock.wall(),
            "started_at": self._started_at,
            "version": __version__,
            "accounts": accounts,
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

    async def deliveries(self, state: DeliveryState | None, limit: int) -> list[Answer]:
        """Return the newest deliveries."""
        return await self._ledger.ask(lambda connection: reading.list_deliveries(connection, state, limit))

    async def audit(self) -> Answer:
        """Return the balance. One at a time: each reads the whole ledger."""
        async with self._auditing:
            return await self._ledger.ask(auditing.audit_ledger)

    async def readiness(self) -> list[str]:
        """Return why Bellwire is not ready, a sentence each."""
        reasons = await self._ledger_troubles()
        for account, source in self._daemon.watched:
            status = source.status
            if not account.paused and status.state not in _WORKING:
                why = f": {status.last_error}" if status.last_error else ""
                reasons.append(f"account {account.name} is {status.state.value.replace('_', ' ')}{why}")
        return reasons + self.stuck()

    def stuck(self) -> list[str]:
        """Return what makes no progress though it has work, a sentence each."""
        return [
            f"dispatch to {each.key} has made no progress for {seconds:.0f} s"
            for each in self._daemon.dispatchers
            if (seconds := each.stuck_for()) > STUCK_AFTER
        ]

    async def reload(self) -> None:
        """Change to the configuration as it is now; ConfigError if it cannot be used."""
        await self._daemon.reload()

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

    def _account(self, account: AccountConfig, source: Source) -> Answer:
        status = source.status
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
            "lag": self._daemon.metrics.lag(account.name) if status.last_item_at else None,
        }
