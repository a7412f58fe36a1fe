"""A `bellwire.web.view.View` that a test fills: the shapes are those of the ledger's own answers."""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from bellwire.model import (
    AlertState,
    DeliveryKind,
    DeliveryState,
    MarkPolicy,
    MarkState,
    ObligationState,
    SourceState,
    Suppression,
    Via,
)
from bellwire.records import Expiry

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bellwire.records import NewSilence
    from bellwire.routing.matchers import Matcher
    from bellwire.web.view import AlertQuery

if TYPE_CHECKING:
    from bellwire.records import LetterOrder

NOW = datetime(2026, 11, 22, 10, 0, 5, 250_000, tzinfo=UTC)
Answer = dict[str, Any]

_numbers = itertools.count(1)


def ago(seconds: float) -> datetime:
    return NOW - timedelta(seconds=seconds)


def an_account(name: str = "vision", **values: Any) -> Answer:
    every = {
        "name": name,
        "api": "visual_layer",
        "base_url": "https://vision.example",
        "state": SourceState.STREAMING,
        "since": ago(3600),
        "paused": False,
        "last_item_at": ago(12),
        "last_error": None,
        "reconnects": 0,
        "missed": 0,
        "lag": 0.042,
        "unread": 3,
    }
    return every | values


def a_channel(receiver: str = "ops", channel: str = "slack", **values: Any) -> Answer:
    every = {
        "receiver": receiver,
        "channel": channel,
        "name": "",
        "waiting": 0,
        "waiting_since": None,
        "failures": 0,
        "broken_since": None,
        "blocked_until": None,
        "last_error": None,
        "dead": 0,
    }
    return every | values


def an_obligation(
    receiver: str = "ops", channel: str = "slack", state: ObligationState = ObligationState.SENT, **values: Any
) -> Answer:
    every = {"receiver": receiver, "channel": channel, "name": "", "state": state, "reason": None, "detail": None}
    return every | {"delivery_id": f"01JDELIVERY{next(_numbers):015}"} | values


def a_mark(state: MarkState = MarkState.CONFIRMED, **values: Any) -> Answer:
    return {"state": state, "attempts": 1, "due_at": ago(10), "finished_at": ago(9), "detail": None} | values


def an_alert(title: str = "Scratches: 12 new results in Doors", **values: Any) -> Answer:
    number = next(_numbers)
    every = {
        "id": f"01JALERT{number:018}",
        "account": "vision",
        "api": "visual_layer",
        "upstream_id": f"item-{number}",
        "type": "alert",
        "severity": "warning",
        "title": title,
        "url": None,
        "created_at": ago(13),
        "received_at": ago(12),
        "labels": {"account": "vision", "view_name": "Scratches"},
        "via": Via.STREAM,
        "state": AlertState.DELIVERED,
        "suppressed": None,
        "obligations": [an_obligation()],
        "read_mark": a_mark(),
    }
    return every | values


def a_delivery(receiver: str = "ops", channel: str = "slack", **values: Any) -> Answer:
    every = {
        "id": f"01JDELIVERY{next(_numbers):015}",
        "receiver": receiver,
        "channel": channel,
        "name": "",
        "kind": DeliveryKind.ALERT,
        "state": DeliveryState.SENT,
        "in_doubt": False,
        "group_key": "",
        "origin": None,
        "part": 1,
        "parts": 1,
        "attempts": 1,
        "created_at": ago(12),
        "due_at": ago(12),
        "finished_at": ago(11),
        "reason": None,
        "waits_for": None,
        "suppressed": 0,
    }
    return every | values


def a_try(n: int = 1, outcome: str = "sent", **values: Any) -> Answer:
    every = {"n": n, "started_at": ago(11.5), "ended_at": ago(11.2), "outcome": outcome, "reason": None, "detail": None}
    return every | values


def a_step(route: str, *, matched: bool, **values: Any) -> Answer:
    return {"route": route, "matched": matched, "receiver": None, "failed": None, "saw": None, "note": None} | values


def a_story(alert: Answer | None = None, **values: Any) -> Answer:
    every = {
        "suppressed_by": None,
        "message": "",
        "mark_read": MarkPolicy.DELIVERED,
        "routing": {
            "suppressed": None,
            "errors": [],
            "steps": [
                a_step("route.routes[0]", matched=False, failed='severity >= "error"', saw="warning"),
                a_step("route", matched=True, receiver="ops"),
            ],
            "destinations": [{"receiver": "ops", "route": "route", "group_key": ""}],
        },
        "deliveries": [a_delivery() | {"tries": [a_try()]}],
        "events": [],
    }
    return (alert or an_alert()) | every | values


def a_balance(**values: Any) -> Answer:
    every = {
        "received": 3,
        "states": {state.value: 0 for state in AlertState} | {"delivered": 2, "suppressed": 1},
        "suppressed": {Suppression.DROPPED.value: 1},
        "read_marks": {state.value: 0 for state in MarkState} | {"confirmed": 2},
        "unaccounted": 0,
        "faults": [],
        "vendors": [],
    }
    return every | values


def some_letters(**values: Any) -> Answer:
    """Return what an order about one dead delivery came to."""
    channel = {"receiver": "pager", "channel": "webhook", "name": ""}
    replay = channel | {"id": f"01JDELIVERY{next(_numbers):015}", "alerts": 1}
    letter = channel | {"id": f"01JDELIVERY{next(_numbers):015}", "reason": "http_400", "alerts": 1}
    every = {
        "deliveries": [letter | {"replays": [replay]}],
        "alerts": 1,
        "skipped": 0,
        "next": None,
        "misnamed": [],
        "unknown": [],
        "refused": [],
    }
    return every | values


@dataclass
class FakeSilences:
    """Takes any silence and puts none in force: who wants that gives a view over a ledger."""

    listed: list[Answer] = field(default_factory=list)
    met: list[Answer] = field(default_factory=list)  # by any silence
    added: list[NewSilence] = field(default_factory=list)
    ended: list[tuple[str, str, str]] = field(default_factory=list)  # which, by whom, and how they came in

    @staticmethod
    def a_silence(silence_id: str, **values: Any) -> Answer:
        every = {"id": silence_id, "state": "active", "matchers": ['account="vision"'], "comment": "being mended"}
        times = {"starts_at": ago(600), "ends_at": ago(-86_400 * 365), "created_at": ago(600)}
        return every | times | {"author": "Mia", "expired_by": None} | values

    async def every(self, ended: int, before: str | None = None) -> list[Answer]:
        passed = [each for each in self.listed if each["state"] == "expired"]
        if before is not None:
            ids = [each["id"] for each in passed]
            return passed[ids.index(before) + 1 :][:ended] if before in ids else []
        return [each for each in self.listed if each not in passed] + passed[:ended]

    async def preview(self, matchers: Sequence[Matcher]) -> list[Answer]:
        del matchers
        return self.met

    async def add(self, silence: NewSilence) -> str:
        self.added.append(silence)
        return f"01JSILENCE{next(_numbers):016}"

    async def expire(self, silence_id: str, who: str, how: str = "") -> Expiry:
        if silence_id not in {each["id"] for each in self.listed}:
            return Expiry.UNKNOWN
        self.ended.append((silence_id, who, how))
        return Expiry.EXPIRED


def a_route(path: str = "route", parent: str | None = None, **values: Any) -> Answer:
    every = {
        "route": path,
        "parent": parent,
        "receiver": "ops",
        "matchers": [],
        "continue": False,
        "group_by": ["..."],
        "group_wait": "0s",
        "group_interval": "5m",
        "active_time_intervals": [],
        "mute_time_intervals": [],
        "muted": "drop",
        "suppress_repeats": "0s",
        "dedupe_by": ["account", "type", "title"],
        "digest": None,
    }
    return every | values


@dataclass
class FakeInsight:
    """Finds by label alone, as far as it goes; tries nothing: it answers with ``trial``."""

    view: FakeView | None = None
    found: list[Answer] = field(default_factory=list)  # previews
    tree: list[Answer] = field(default_factory=lambda: [a_route()])
    tally: Answer = field(default_factory=dict)
    trial: Answer = field(default_factory=dict)
    yaml: str = "route:\n  receiver: ops\n"
    reloaded_at: datetime | None = None
    failure: str | None = None
    done: list[tuple[str, str, str]] = field(default_factory=list)
    confirmed: dict[str, tuple[float, float]] = field(default_factory=dict)

    async def search(self, query: AlertQuery) -> Answer:
        assert self.view is not None
        self.view.check()
        found = [each for each in self.view.alerts if self._wanted(each, query)]
        page = found[: query.limit]
        return {"alerts": page, "next": page[-1]["id"] if len(found) > len(page) else None}

    @staticmethod
    def _wanted(alert: Answer, query: AlertQuery) -> bool:
        if query.before is not None and alert["id"] >= query.before:
            return False
        said = alert["labels"] | {name: alert[name] for name in ("account", "type", "title")}
        equal = all(said.get(one.name, "") == one.value for one in query.matchers)
        return equal and query.state in {None, alert["state"]}

    async def previews(self, alert_id: str) -> list[Answer]:
        del alert_id
        return self.found

    async def counts(self) -> Answer:
        assert self.view is not None
        self.view.check()
        return {"totals": dict(self.view.counts), "confirmed": self.confirmed}

    async def routes(self) -> Answer:
        tally = {"alerts": 0, "since": ago(86_400), "from": None, "whole": True, "routes": {}, "dropped": {}}
        return {"routes": self.tree, "tally": tally | self.tally}

    async def try_alert(self, labels: Mapping[str, str], at: datetime | None) -> Answer:
        every = {"at": at or NOW, "title": "A sample alert", "severity": labels.get("severity", "info")}
        every |= {"type": "alert", "account": labels.get("account", ""), "api": "visual_layer", "labels": dict(labels)}
        every |= {"note": None, "inhibited_by": None, "silenced_by": None}
        going: Answer = {"receiver": "ops", "route": "route", "group_key": "", "group_labels": {}, "digest": None}
        going |= {"standing": "now", "until": None, "why": None, "repeats": None}
        steps = [a_step("route", matched=True, receiver="ops")]
        return (
            every
            | {"routing": {"suppressed": None, "errors": [], "steps": steps, "destinations": [going]}}
            | self.trial
        )

    async def configuration(self) -> Answer:
        return {"yaml": self.yaml, "reloaded_at": self.reloaded_at, "failure": self.failure}

    async def actions(self, limit: int) -> list[Answer]:
        outcome = {"outcome": "in force"}
        every = [{"at": NOW, "who": who, "how": how, "what": what, "detail": outcome} for what, who, how in self.done]
        return every[::-1][:limit]


@dataclass
class FakeView:
    """Answers with what it was given; counts audits; ``hold`` keeps an audit waiting; ``broken`` is raised by everything."""

    accounts: list[Answer] = field(default_factory=list)
    channels: list[Answer] = field(default_factory=list)
    alerts: list[Answer] = field(default_factory=list)  # the newest first
    stories: dict[str, list[Answer]] = field(default_factory=dict)
    sent: list[Answer] = field(default_factory=list)
    events: list[Answer] = field(default_factory=list)
    troubles: list[Answer] = field(default_factory=list)
    heartbeat: Answer | None = None
    slack_apps: list[Answer] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    dry_run: bool = False
    counts: dict[str, int] = field(default_factory=dict)
    reasons: list[str] = field(default_factory=list)
    balance: Answer = field(default_factory=a_balance)
    audits: int = 0
    looks: int = 0
    hold: asyncio.Event | None = None
    auditing: asyncio.Event = field(default_factory=asyncio.Event)  # set when an audit begins
    broken: Exception | None = None
    orders: list[tuple[str, LetterOrder]] = field(default_factory=list)
    letters: Answer = field(default_factory=some_letters)
    reloads: int = 0
    reload_error: Exception | None = None
    quiet: FakeSilences = field(default_factory=FakeSilences)
    closer: FakeInsight = field(default_factory=FakeInsight)

    @property
    def silences(self) -> FakeSilences:
        return self.quiet

    @property
    def insight(self) -> FakeInsight:
        self.closer.view = self
        return self.closer

    async def replay(self, order: LetterOrder) -> Answer:
        self.check()
        self.orders.append(("replay", order))
        return self.letters

    async def abandon(self, order: LetterOrder) -> Answer:
        self.check()
        self.orders.append(("abandon", order))
        return self.letters

    async def reload(self, who: str, how: str = "") -> None:
        self.reloads += 1
        self.closer.done.append(("reload_asked", who, how))
        if self.reload_error is not None:
            raise self.reload_error

    async def overview(self) -> Answer:
        self.check()
        self.looks += 1
        return {
            "now": NOW,
            "started_at": ago(86_400),
            "version": "0.1.0",
            "accounts": self.accounts,
            "channels": self.channels,
            "totals": self.counts,
            "events": self.events,
            "troubles": self.troubles,
            "heartbeat": self.heartbeat,
            "slack_apps": self.slack_apps,
            "notes": self.notes,
            "dry_run": self.dry_run,
        }

    async def totals(self) -> dict[str, int]:
        self.check()
        return self.counts

    async def recent_alerts(self, limit: int, before: str | None = None) -> list[Answer]:
        self.check()
        return [alert for alert in self.alerts if before is None or alert["id"] < before][:limit]

    async def explain(self, reference: str) -> list[Answer]:
        self.check()
        return self.stories.get(reference, [])

    async def deliveries(
        self, state: DeliveryState | None, limit: int, *, receiver: str | None = None, before: str | None = None
    ) -> list[Answer]:
        self.check()
        found = [delivery for delivery in self.sent if state in {None, delivery["state"]}]
        found = [each for each in found if receiver in {None, each["receiver"]}]
        return [each for each in found if before is None or each["id"] < before][:limit]

    async def audit(self, *, vendors: bool = False) -> Answer:
        del vendors
        self.check()
        self.audits += 1
        self.auditing.set()
        if self.hold:
            await self.hold.wait()
        return self.balance

    async def readiness(self, seen: Answer | None = None) -> list[str]:
        del seen
        self.check()
        return self.reasons

    def check(self) -> None:
        if self.broken:
            raise self.broken


def a_busy_view() -> FakeView:
    """Return a view with something of everything on it."""
    fault = "connect: the name vision.example has no address"
    open_to = {"state": ObligationState.OPEN}
    alerts = [
        an_alert("Weld seam: 3 new results in Line 4", severity="error", state=AlertState.IN_FLIGHT)
        | {"read_mark": None}
        | {"obligations": [an_obligation(), an_obligation("pager", "webhook", **open_to, reason="http_503")]},
        an_alert(),
        an_alert("Nightly export is done", severity="info", state=AlertState.SUPPRESSED, type="notification")
        | {"suppressed": Suppression.DROPPED, "obligations": [], "read_mark": None},
        an_alert("Press 2 stopped: pressure below the limit for more than 30 s", severity="critical")
        | {
            "received_at": ago(90_000),
            "state": AlertState.DEAD,
            "account": "plant",
            "read_mark": a_mark(MarkState.PENDING),
            "obligations": [
                an_obligation("ops", "email", ObligationState.DEAD, name="oncall@example.com", reason="smtp_550"),
                an_obligation("pager", "webhook", name="primary"),
            ],
        },
    ]
    alerts += [an_alert(f"Scratches: {n} new results in Doors") for n in range(2, 12)]
    story = a_story(
        alerts[0],
        message="Three frames of camera 7 differ from the reference.\nBatch 2211.",
        url="https://vision.example/views/17",
        read_mark=None,
        deliveries=[
            a_delivery() | {"tries": [a_try()]},
            a_delivery("pager", "webhook", state=DeliveryState.PENDING, attempts=2, reason="http_503")
            | {
                "tries": [
                    a_try(1, "retry", reason="http_503", detail="503 Service Unavailable"),
                    a_try(2, "in_doubt", reason="timeout", detail="no answer within 30 s"),
                ]
            },
        ],
        events=[{"at": ago(2), "kind": "reopened", "detail": {}}],
    )
    return FakeView(
        accounts=[
            an_account(),
            an_account("plant", state=SourceState.BACKING_OFF, reconnects=14, last_error=fault, lag=95.0, missed=3),
            an_account("archive", state=SourceState.STOPPED, paused=True, last_item_at=None, lag=None),
        ],
        channels=[
            a_channel("ops", "email", name="oncall@example.com"),
            a_channel(),
            a_channel("pager", "webhook", waiting=12, waiting_since=ago(340), failures=7, last_error="http_503")
            | {"broken_since": ago(300), "blocked_until": ago(-20)},
        ],
        alerts=alerts,
        stories={alerts[0]["id"]: [story], "twice": [a_story(), a_story(an_alert(account="plant"))]},
        sent=[a_delivery(), a_delivery("pager", "webhook", state=DeliveryState.DEAD, reason="http_400")],
        events=[
            {"at": ago(340), "account": "plant", "kind": "gap", "detail": {"seconds": 1620, "found": 14}},
            {"at": ago(90_400), "account": "vision", "kind": "stream_discarded", "detail": {"reason": "broken_json"}},
        ],
        counts={
            "alerts.received": 12_408,
            "alerts.in_flight": 13,
            "alerts.delivered": 12_004,
            "alerts.suppressed": 390,
            "alerts.dead": 1,
            "deliveries.pending": 12,
            "deliveries.sending": 1,
            "deliveries.sent": 24_100,
            "deliveries.dead": 1,
        },
        reasons=[f"account plant is backing_off: {fault}"],
    )
