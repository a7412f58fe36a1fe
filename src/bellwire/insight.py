"""A closer look at the running daemon: what `bellwire.web.view.InsightView` asks, answered from ledger and configuration."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Protocol

from bellwire.config.rules import compile_rules
from bellwire.config.shown import shown
from bellwire.ledger import reading
from bellwire.ledger.acting import read_actions
from bellwire.ledger.history import whole_alert
from bellwire.ledger.searching import Search, search_alerts
from bellwire.ledger.tallying import tally_routes
from bellwire.model import ChannelKey, DeliveryKind, Message
from bellwire.rehearsal.samples import Saying, account_named, sample_of, unknown_account
from bellwire.rehearsal.tree import describe
from bellwire.rehearsal.trial import try_alert

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from sqlalchemy import Connection

    from bellwire.config.schema import Config
    from bellwire.ledger.ledger import Ledger
    from bellwire.metrics import Metrics
    from bellwire.model import Alert
    from bellwire.ports import Channel
    from bellwire.rehearsal.trial import Trial
    from bellwire.web.view import AlertQuery

Answer = dict[str, Any]

_TALLIED = timedelta(days=1)
_MOST_PREVIEWS = 12


class Daemon(Protocol):
    """What runs, as far as it is looked into."""

    @property
    def config(self) -> Config:
        """The configuration that is in force."""
        ...

    @property
    def built(self) -> Mapping[ChannelKey, Channel]:
        """Every channel of the configuration."""
        ...

    @property
    def metrics(self) -> Metrics:
        """What is counted."""
        ...

    @property
    def reload_failure(self) -> str | None:
        """Why the last reload failed; None if it did not."""
        ...

    @property
    def reloaded_at(self) -> datetime | None:
        """When the last reload ended; None if there was none."""
        ...


class Insight:
    """Implements `bellwire.web.view.InsightView`."""

    def __init__(self, daemon: Daemon, ledger: Ledger) -> None:
        self._daemon = daemon
        self._ledger = ledger

    async def search(self, query: AlertQuery) -> Answer:
        """Return the newest alerts that match, and where to go on."""
        wanted = Search(**{name: getattr(query, name) for name in query.__slots__})
        return await self._ledger.ask(lambda connection: search_alerts(connection, wanted))

    async def previews(self, alert_id: str) -> list[Answer]:
        """Return the alert's message as each channel that it was owed to would send it now."""

        def question(connection: Connection) -> tuple[Alert | None, list[Answer]]:
            found = whole_alert(connection, alert_id)
            if found is None:
                return None, []
            return found[0], reading.explain_alert(connection, alert_id)["obligations"]

        alert, owed = await self._ledger.ask(question)
        if alert is None:
            return []
        rendered = [self._rendered(alert, each) for each in owed[:_MOST_PREVIEWS]]
        return await asyncio.gather(*rendered)

    async def _rendered(self, alert: Alert, owed: Answer) -> Answer:
        key = ChannelKey(receiver=owed["receiver"], kind=owed["channel"], name=owed["name"])
        told = {"receiver": key.receiver, "channel": key.kind, "name": key.name, "body": None, "error": None}
        channel = self._daemon.built.get(key)
        if channel is None:
            return told | {"error": "this channel is in the configuration no more"}
        message = Message(
            delivery_id=owed["delivery_id"], kind=DeliveryKind.ALERT, receiver=key.receiver, alerts=(alert,)
        )
        try:
            return told | {"body": await asyncio.to_thread(channel.render, message)}
        except Exception as error:  # noqa: BLE001 - templates are people's: whatever they raise is shown, and stops nothing
            return told | {"error": f"it cannot be made: {type(error).__name__}: {error}"}

    async def counts(self) -> Answer:
        """Return what the last hour is drawn from."""
        totals = await self._ledger.ask(reading.read_totals)
        return {"totals": totals, "confirmed": self._daemon.metrics.confirmed()}

    async def routes(self) -> Answer:
        """Return the tree, and what went where of late."""
        since = self._ledger.clock.wall() - _TALLIED
        tally = await self._ledger.ask(lambda connection: tally_routes(connection, since))
        root = compile_rules(self._daemon.config).root
        return {"routes": list(describe(root)), "tally": tally | {"since": since}}

    async def try_alert(self, labels: Mapping[str, str], at: datetime | None) -> Answer:
        """Return what would become of an alert with these labels."""
        config, when = self._daemon.config, at or self._ledger.clock.wall()
        alert, rules = sample_of(config, Saying(labels=labels)).alert(when), compile_rules(config)
        trial = await self._ledger.ask(
            lambda connection: try_alert(rules, alert, when, lambda question: question(connection))
        )
        name = labels.get("account")
        known = not name or account_named(config, name) is not None
        return _tried(trial) | {"at": when, "note": None if known else unknown_account(config, name or "")}

    async def configuration(self) -> Answer:
        """Return what is in force, and how the last reload went."""
        daemon = self._daemon
        yaml = await asyncio.to_thread(shown, daemon.config)
        return {"yaml": yaml, "reloaded_at": daemon.reloaded_at, "failure": daemon.reload_failure}

    async def actions(self, limit: int) -> list[Answer]:
        """Return what people did, the newest first."""
        return await self._ledger.ask(lambda connection: read_actions(connection, limit))


def _tried(trial: Trial) -> Answer:
    alert, repeats = trial.alert, trial.overcast.repeats or {}
    routing = reading.routing_answer(trial.decision)
    destinations = [
        each
        | {
            "standing": stands.passage.value,
            "until": stands.until,
            "why": stands.why or None,
            "repeats": repeats.get(each["receiver"]),
        }
        for each, stands in zip(routing["destinations"], trial.standings, strict=True)
    ]
    return {
        "title": alert.title,
        "severity": alert.severity.text,
        "type": alert.type,
        "account": alert.account,
        "api": alert.api,
        "labels": dict(alert.labels),
        "routing": routing | {"destinations": destinations},
        "inhibited_by": trial.overcast.inhibited,
        "silenced_by": trial.overcast.silenced,
    }
