"""The shapes of the API's answers, for its OpenAPI document: what they are made of is plain values, not these."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, Field

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

SeverityText = Literal["info", "warning", "error", "critical"]


class Account(BaseModel):
    """One account and the connection to it."""

    name: str
    api: str
    base_url: str
    state: SourceState
    since: datetime | None
    paused: bool
    last_item_at: datetime | None
    last_error: str | None
    reconnects: int
    missed: int = Field(description="Alerts that the stream should have brought.")
    lag: float | None = Field(description="Seconds from the vendor's creation of the newest alert to its record here.")


class Channel(BaseModel):
    """One channel, its breaker, and what waits for it."""

    receiver: str
    channel: str
    name: str
    waiting: int
    waiting_since: datetime | None
    failures: int = Field(description="In a row.")
    broken_since: datetime | None = Field(description="The breaker is open since then.")
    blocked_until: datetime | None
    last_error: str | None


class SourceEvent(BaseModel):
    """Something that happened to a source."""

    account: str
    at: datetime
    kind: str
    detail: dict[str, str | int]


class Status(BaseModel):
    """How things stand now."""

    ready: bool
    reasons: list[str] = Field(description="Why it is not ready.")
    version: str
    now: datetime
    started_at: datetime
    accounts: list[Account]
    channels: list[Channel]
    totals: dict[str, int]
    events: list[SourceEvent]


class Obligation(BaseModel):
    """One alert owed to one channel."""

    receiver: str
    channel: str
    name: str
    state: ObligationState
    reason: str | None
    delivery_id: str


class ReadMark(BaseModel):
    """The marking of one notification as read at its vendor."""

    state: MarkState
    attempts: int
    due_at: datetime | None
    finished_at: datetime | None
    detail: str | None


class AlertBase(BaseModel):
    """What is always known of an alert."""

    id: str
    account: str
    api: str
    upstream_id: str
    type: str
    severity: SeverityText
    title: str
    url: str | None
    created_at: datetime
    received_at: datetime
    labels: dict[str, str]
    via: Via
    state: AlertState
    suppressed: Suppression | None
    obligations: list[Obligation]
    read_mark: ReadMark | None


class Alert(AlertBase):
    """An alert, and where it went."""


class Step(BaseModel):
    """One route that was looked at."""

    route: str
    matched: bool
    receiver: str | None
    failed: str | None = Field(description="The first matcher that did not match.")
    saw: str | None = Field(description="The value it met.")
    note: str | None


class Destination(BaseModel):
    """A receiver that the alert goes to."""

    receiver: str
    route: str
    group_key: str


class Routing(BaseModel):
    """How the alert was routed; empty once retention has stripped the alert."""

    suppressed: Suppression | None = None
    errors: list[str] = []
    steps: list[Step] = []
    destinations: list[Destination] = []


class Try(BaseModel):
    """One attempt at a delivery."""

    n: int
    started_at: datetime
    ended_at: datetime | None
    outcome: str
    reason: str | None
    detail: str | None


class Delivery(BaseModel):
    """One message for one channel."""

    id: str
    receiver: str
    channel: str
    name: str
    kind: DeliveryKind
    state: DeliveryState
    in_doubt: bool
    group_key: str
    part: int
    parts: int
    attempts: int
    created_at: datetime
    due_at: datetime | None
    finished_at: datetime | None
    reason: str | None


class TriedDelivery(Delivery):
    """A delivery with each of its attempts."""

    tries: list[Try]


class AlertEvent(BaseModel):
    """Something that happened to an alert after it had come."""

    at: datetime
    kind: str
    detail: object


class Story(AlertBase):
    """All that happened to one alert."""

    message: str | None
    mark_read: MarkPolicy
    routing: Routing
    deliveries: list[TriedDelivery]
    events: list[AlertEvent]


class Flaw(BaseModel):
    """Alerts whose state does not follow from their record."""

    fault: str
    alerts: int
    examples: list[str]


class Audit(BaseModel):
    """The balance of the ledger."""

    received: int
    states: dict[AlertState, int]
    suppressed: dict[Suppression, int]
    read_marks: dict[MarkState, int]
    unaccounted: int
    faults: list[Flaw]


class Candidate(BaseModel):
    """One of several alerts that bear the same vendor's id."""

    id: str
    account: str
    api: str
    title: str


class Problem(BaseModel):
    """What is wrong with a request."""

    detail: str


class Ambiguity(Problem):
    """Which alerts a reference may mean."""

    candidates: list[Candidate]
