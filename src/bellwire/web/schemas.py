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
    TroubleKind,
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
    unread: int | None = Field(description="How many the vendor last said are unread there.")


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
    dead: int
    rate: float | None = Field(description="Messages confirmed a minute, over the last five.")
    latency: float | None = Field(description="Their mean time from the vendor's creation, in seconds.")


class SourceEvent(BaseModel):
    """Something that happened to a source."""

    account: str
    at: datetime
    kind: str
    detail: dict[str, str | int]


class Trouble(BaseModel):
    """Something that is wrong with Bellwire itself, or with what it depends on; ``untold`` messages of it still wait."""

    kind: TroubleKind
    subject: str
    text: str
    detail: str
    number: int
    began_at: datetime
    ended_at: datetime | None
    untold: int


class SlackApp(BaseModel):
    """The connection of a Slack app, by which presses of buttons arrive."""

    receivers: list[str]
    connected_at: datetime | None = Field(description="None while it is not connected.")
    error: str | None = Field(description="Why it last was not.")


class Heartbeat(BaseModel):
    """How the heartbeat goes: why its last call failed, or was not made."""

    last_success_at: datetime | None
    failing: str | None
    withheld: str | None


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
    troubles: list[Trouble]
    heartbeat: Heartbeat | None
    slack_apps: list[SlackApp] = []
    notes: list[str] = Field(default=[], description="Channels that work, but not as well as they could.")
    dry_run: bool = Field(description="Nothing is sent, and nothing marked as read.")


class Obligation(BaseModel):
    """One alert owed to one channel."""

    receiver: str
    channel: str
    name: str
    state: ObligationState
    reason: str | None
    detail: str | None = Field(description="By what: a silence's id, or that of the alert of which it is a repeat.")
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
    group_labels: dict[str, str] = {}
    digest: str | None = None


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
    origin: str | None = Field(description="The delivery that it stands for: as a fallback, or as a replay.")
    part: int
    parts: int
    attempts: int
    created_at: datetime
    due_at: datetime | None
    finished_at: datetime | None
    reason: str | None
    waits_for: Literal["window", "digest", "repeat"] | None = Field(
        description="What it waits for before it is due: a window, a digest's time, what becomes of one like it."
    )
    suppressed: int = Field(description="How many repeats it speaks for.")


class TriedDelivery(Delivery):
    """A delivery with each of its attempts."""

    tries: list[Try]


class AlertEvent(BaseModel):
    """Something that happened to an alert after it had come."""

    at: datetime
    kind: str
    detail: object = Field(
        description="Of `changed`, what the vendor's item says now (`new`) that it did not say when it came (`old`): at most"
        " 20 `fields` by `name`, values cut to 200 characters; `more` are not named."
    )


class Suppressor(BaseModel):
    """What suppressed an alert; of what is forgotten only the id is known."""

    kind: Literal["silence", "alert"]
    id: str
    author: str | None = Field(description="Who made the silence.")
    comment: str | None = Field(description="Why.")
    title: str | None = Field(description="The alert's, where one casts its shadow or came first.")


class Story(AlertBase):
    """All that happened to one alert."""

    suppressed_by: Suppressor | None
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


class VendorCheck(BaseModel):
    """An account's list of unread notifications, held against the ledger; ``error`` says why it could not be read whole."""

    account: str
    unread: int
    coming: int
    missing: int
    examples: list[str]
    error: str | None


class Audit(BaseModel):
    """The balance of the ledger."""

    received: int
    states: dict[AlertState, int]
    suppressed: dict[Suppression, int]
    read_marks: dict[MarkState, int]
    unaccounted: int
    faults: list[Flaw]
    vendors: list[VendorCheck]


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
