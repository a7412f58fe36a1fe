"""What passes between the arrows and the ledger: values, each with one meaning."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from bellwire.errors import Verdict
    from bellwire.model import (
        AccountKey,
        Alert,
        ChannelKey,
        Decision,
        DeliveryKind,
        MarkPolicy,
        MarkResult,
        Message,
        Via,
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Arrival:
    """One routed alert on its way into the ledger.

    ``channels`` are the channels of each destination of the decision, in the same order. ``digest`` holds the alert for
    the account's catch-up digest instead of sending it now.
    """

    account: AccountKey
    alert: Alert
    decision: Decision
    channels: tuple[tuple[ChannelKey, ...], ...]
    mark: MarkPolicy
    markable: bool
    via: Via
    digest: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class RateLimit:
    """A token bucket: no window of t seconds has more than ``burst + per_second * t`` messages.

    What has been due for more than ``max_delay`` seconds and was never attempted goes out as digests.
    """

    per_second: float
    burst: int
    max_delay: float


@dataclass(frozen=True, kw_only=True, slots=True)
class ChannelPolicy:
    """How the ledger hands out a channel's deliveries. Times in seconds."""

    key: ChannelKey
    rate: RateLimit | None = None
    max_alerts: int = 100
    initial_backoff: float = 1.0
    max_backoff: float = 300.0
    max_age: float = 86_400.0
    lease: float = 90.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Claim:
    """A delivery that its claimer must now send. ``body`` is None until the first attempt froze one."""

    message: Message
    kind: DeliveryKind
    attempts: int  # made so far
    first_attempt_at: datetime | None
    doubtful: bool
    body: bytes | None
    remote: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Claims:
    """What a call for work brought: the deliveries, and when to ask again if nothing wakes the caller before."""

    claims: tuple[Claim, ...] = ()
    next_due: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Start:
    """An attempt that is about to be made, with the frozen body."""

    delivery_id: str
    body: bytes


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """What came of an attempt. ``verdict`` None is success; ``due_at`` is when to try again, where it will be tried again."""

    delivery_id: str
    attempt: int
    verdict: Verdict | None = None
    reason: str = ""
    detail: str = ""
    due_at: datetime | None = None
    dead: bool = False
    doubtful: bool = False  # this attempt, or one before it, may have arrived
    blocked_until: datetime | None = None  # the whole channel
    remote: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Settled:
    """What recording an outcome changed: ``latencies`` are seconds from the vendor's creation, an alert each, when sent."""

    latencies: tuple[float, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class DueMark:
    """A read mark to make now; ``attempts`` counts those made."""

    alert_id: str
    upstream_id: str
    attempts: int


@dataclass(frozen=True, kw_only=True, slots=True)
class DueMarks:
    """What a call for read marks brought, and when to ask again."""

    marks: tuple[DueMark, ...] = ()
    next_due: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class MarkRecord:
    """What came of one read mark; ``due_at`` says when to try again after `MarkOutcome.RETRY`."""

    alert_id: str
    result: MarkResult
    due_at: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Position:
    """Where an account's source stands, across restarts.

    ``started_at`` is when its first full reading of the inbox ended: None until then. ``connected_at`` is the last time
    at which the source was known to miss nothing.
    """

    started_at: datetime | None = None
    connected_at: datetime | None = None
    last_event_id: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class SourceEvent:
    """Something about a source that people will ask for: a gap, discarded stream data, refused credentials."""

    kind: str
    detail: Mapping[str, str | int] = field(default_factory=dict)
