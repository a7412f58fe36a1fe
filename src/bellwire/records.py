"""What passes between the arrows and the ledger: values, each with one meaning."""

from __future__ import annotations

import enum
from dataclasses import field
from datetime import timedelta
from typing import TYPE_CHECKING

from bellwire.values import dataclass

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
    the account's catch-up digest instead of sending it now. ``casts`` are the shadows that it casts by rules of
    inhibition, each a key and seconds; ``under`` are the keys of those that would suppress it.
    """

    account: AccountKey
    alert: Alert
    decision: Decision
    channels: tuple[tuple[ChannelKey, ...], ...]
    mark: MarkPolicy
    markable: bool
    via: Via
    digest: bool = False
    casts: tuple[tuple[str, float], ...] = ()
    under: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class RateLimit:
    """A token bucket: no window of t seconds has more than ``burst + per_second * t`` messages.

    What has been due for more than ``max_delay`` seconds and was never attempted goes out as digests.
    """

    per_second: float
    burst: int
    max_delay: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Fallback:
    """A receiver that stands in for another: it covers an alert once each of its channels has confirmed it."""

    receiver: str
    channels: tuple[ChannelKey, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class ChannelPolicy:
    """How the ledger hands out a channel's deliveries. Times in seconds.

    ``fallbacks`` get what dies here, or did not get through for ``fallback_after`` since it was wanted.
    """

    key: ChannelKey
    rate: RateLimit | None = None
    max_alerts: int = 100
    initial_backoff: float = 1.0
    max_backoff: float = 300.0
    max_age: float = 86_400.0
    lease: float = 90.0
    fallbacks: tuple[Fallback, ...] = ()
    fallback_after: float = 600.0


@dataclass(frozen=True, kw_only=True, slots=True)
class LetterOrder:
    """Which dead letters someone means: these deliveries, or (None) all that are dead, as far as the rest narrows it.

    ``since`` is for how many seconds they have been dead at most; ``after`` and ``until`` are ids, the first excluded:
    the order's next part. ``who`` asks for it, by the name that they give, and ``how`` is what is known of them: how they
    came in, and from where. ``dry`` only looks.
    """

    deliveries: tuple[str, ...] | None = None
    receiver: str | None = None
    since: float | None = None
    after: str = ""
    until: str | None = None
    to: str | None = None  # a receiver that gets them instead
    who: str = ""
    how: str = ""
    dry: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Replay:
    """A new delivery that stands for an old one; ``id`` is empty where nothing was done yet."""

    id: str
    key: ChannelKey
    alerts: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Letter:
    """A delivery that was replayed or abandoned, or would be; ``alerts`` are those of which that decides."""

    id: str
    key: ChannelKey
    reason: str
    alerts: tuple[str, ...]
    replays: tuple[Replay, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Letters:
    """What came of an order. ``misnamed``, ``unknown`` and ``refused`` say why nothing was done, a sentence each.

    ``skipped`` are dead, but of channels that are gone. ``after`` is where the order's next part begins, None at its end.
    """

    letters: tuple[Letter, ...] = ()
    misnamed: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()
    skipped: int = 0
    after: str | None = None
    until: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class FellBack:
    """How many deliveries stand-ins were given, and when to look again."""

    deliveries: int
    next_due: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Claim:
    """A delivery that its claimer must now send. ``body`` is None until the first attempt froze one.

    With a frozen body the message has no alerts any more; ``members`` are their ids. What was only offered, at
    ``offered_at``, is taken by the attempt, if that comes soon and nothing else has become of it.
    """

    message: Message
    kind: DeliveryKind
    attempts: int  # made so far
    first_attempt_at: datetime | None
    doubtful: bool
    body: bytes | None
    remote: str
    group: str | None = None  # see model.Envelope
    probe: bool = False  # the channel's breaker is open: this one shows whether it works again
    members: tuple[str, ...] = ()
    offered_at: datetime | None = None

    def start(self, body: bytes) -> Start:
        """Return the attempt at it, with the body frozen."""
        return Start(
            delivery_id=self.message.delivery_id,
            attempts=self.attempts,
            body=body,
            probe=self.probe,
            offered_at=self.offered_at,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Claims:
    """What a call for work brought: the deliveries, and when to ask again if nothing wakes the caller before.

    ``died`` is how many got too old: their channel is held up.
    """

    claims: tuple[Claim, ...] = ()
    next_due: datetime | None = None
    died: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Start:
    """An attempt that is about to be made, with the frozen body. The rest is the claim's."""

    delivery_id: str
    attempts: int
    body: bytes
    probe: bool = False
    offered_at: datetime | None = None


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
    group: str = ""


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


# --- the audit -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True)
class AuditSlice:
    """Some alerts, added up: by state, by the reason they were suppressed for, their read marks by state.

    ``faults`` are numbers and some ids, by what is wrong; ``faulty`` counts an alert once, whatever is wrong with it. ``last`` is the id to go on after, None at the end; ``received``
    is the number of alerts ever recorded.
    """

    last: str | None
    received: int
    states: Mapping[str, int]
    suppressed: Mapping[str, int]
    read_marks: Mapping[str, int]
    faults: Mapping[str, tuple[int, tuple[str, ...]]]
    faulty: int = 0


# --- silences ------------------------------------------------------------------------------------------------------


LONGEST_SILENCE = timedelta(days=3650)
"""Longer than this nobody means."""

LONGEST_COMMENT = 2000
"""Characters in which someone says why."""


@dataclass(frozen=True, kw_only=True, slots=True)
class NewSilence:
    """A silence that someone wants: ``matchers`` as texts that can be parsed, times by the wall's clock.

    ``author`` is the name that they give, ``how`` what is known of them: how they came in, and from where.
    """

    matchers: tuple[str, ...]
    starts_at: datetime
    ends_at: datetime
    author: str
    comment: str
    how: str = ""


class Expiry(enum.StrEnum):
    """What ending a silence found."""

    EXPIRED = "expired"
    ENDED_BEFORE = "ended_before"
    UNKNOWN = "unknown"
