"""The nouns of Bellwire, each with one meaning: pure values, no I/O, no clock, no randomness.

Times are aware ``datetime`` values in UTC. Identifiers of Bellwire's own (alert, delivery) are 26-character texts that
sort in the order in which the ledger gave them.
"""

from __future__ import annotations

import enum
from dataclasses import field
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from bellwire.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence
    from datetime import datetime

Json: TypeAlias = Any
"""What a JSON text decodes to."""


class Severity(enum.IntEnum):
    """How urgent an alert is; ordered, so that rules may compare by rank."""

    INFO = 1
    WARNING = 2
    ERROR = 3
    CRITICAL = 4

    @property
    def text(self) -> str:
        """The name as configuration, labels and messages spell it."""
        return self.name.lower()

    @classmethod
    def of(cls, text: str) -> Severity | None:
        """Return the severity called ``text`` in any case, or None if there is none."""
        return cls.__members__.get(text.upper())


class SourceState(enum.StrEnum):
    """What the connection to one account is doing."""

    CONNECTING = "connecting"
    STREAMING = "streaming"
    POLLING = "polling"
    BACKING_OFF = "backing_off"
    UNAUTHORIZED = "unauthorized"
    STOPPED = "stopped"


class Via(enum.StrEnum):
    """By which way a notification was found."""

    STREAM = "stream"
    CATCH_UP = "catch_up"
    POLL = "poll"
    AUDIT = "audit"


class AlertState(enum.StrEnum):
    """The settlement of an alert over all of its obligations."""

    IN_FLIGHT = "in_flight"
    DELIVERED = "delivered"
    SUPPRESSED = "suppressed"
    DEAD = "dead"


class ObligationState(enum.StrEnum):
    """What became of one alert owed to one channel."""

    OPEN = "open"
    SENT = "sent"
    SUPPRESSED = "suppressed"
    DEAD = "dead"
    COVERED = "covered"


class DeliveryState(enum.StrEnum):
    """Where one message for one channel stands."""

    PENDING = "pending"
    SENDING = "sending"
    SENT = "sent"
    DEAD = "dead"
    MERGED = "merged"  # its obligations went into a digest that is sent in its place
    SUPPRESSED = "suppressed"  # nothing of it is owed any more: silenced, muted, read at the vendor, covered …
    REPLAYED = "replayed"  # it was dead; its obligations went into a replay


class DeliveryKind(enum.StrEnum):
    """Why a message is sent; the ``kind`` of the webhook body."""

    ALERT = "alert"
    GROUP = "group"
    DIGEST = "digest"
    FALLBACK = "fallback"
    REPLAY = "replay"
    META = "meta"
    TEST = "test"


class MarkPolicy(enum.StrEnum):
    """When an account's notifications are marked as read at their vendor."""

    DELIVERED = "delivered"
    ANY = "any"
    HANDLED = "handled"
    NEVER = "never"


class MarkState(enum.StrEnum):
    """Where the marking of one notification as read stands."""

    PENDING = "pending"
    CONFIRMED = "confirmed"
    FAILED = "failed"


class Suppression(enum.StrEnum):
    """Why an alert is not sent, on purpose."""

    DROPPED = "dropped"
    CATCH_UP = "catch_up"
    BEFORE_FIRST_START = "before_first_start"
    INHIBITED = "inhibited"
    SILENCED = "silenced"
    REPEAT = "repeat"
    MUTED = "muted"
    READ_UPSTREAM = "read_upstream"
    ABANDONED = "abandoned"


class TroubleKind(enum.StrEnum):
    """What may be wrong with Bellwire itself, or with what it depends on: told to ``meta_receiver``."""

    DELIVERIES_DEAD = "deliveries_dead"
    CHANNEL_BROKEN = "channel_broken"
    ACCOUNT_UNAUTHORIZED = "account_unauthorized"
    ACCOUNT_SILENT = "account_silent"
    READ_MARKS_FAILED = "read_marks_failed"
    RELOAD_FAILED = "reload_failed"
    LEDGER_UNWRITABLE = "ledger_unwritable"
    ALERTS_UNACCOUNTED = "alerts_unaccounted"


class AccountKey(NamedTuple):
    """Whose notifications these are: identities are unique within it, whatever else the configuration changes."""

    name: str
    base_url: str


class ChannelKey(NamedTuple):
    """One channel of one receiver; ``name`` is empty where a receiver has only one of a kind.

    An e-mail channel has one recipient, so its name ends in the address.
    """

    receiver: str
    kind: str
    name: str = ""

    def __str__(self) -> str:
        return "/".join(part for part in (self.receiver, self.kind, self.name) if part)


@dataclass(frozen=True, kw_only=True, slots=True)
class Notification:
    """An item of a vendor's inbox, read but not yet an alert.

    ``labels`` are the vendor's own (see the table of APIs in the documentation); ``markable`` is False where the vendor
    gave no id by which the item could be marked as read.
    """

    upstream_id: str
    type: str
    severity: Severity
    title: str
    message: str = ""
    url: str | None = None
    created_at: datetime | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    payload: Json = None
    markable: bool = True


@dataclass(frozen=True, kw_only=True, slots=True)
class Alert:
    """A notification in Bellwire's own form. ``id`` is empty until the ledger has recorded it."""

    id: str = ""
    account: str
    api: str
    upstream_id: str
    type: str
    severity: Severity
    title: str
    message: str
    url: str | None
    created_at: datetime
    received_at: datetime
    labels: Mapping[str, str]
    payload: Json


@dataclass(frozen=True, kw_only=True, slots=True)
class Grouping:
    """How alerts of one route are put together; ``by`` empty and ``alone`` False is one group for the whole route."""

    by: tuple[str, ...] = ()
    alone: bool = True
    wait: float = 0.0  # seconds before the first message of a group
    interval: float = 0.0  # least seconds between two messages of a group


@dataclass(frozen=True, kw_only=True, slots=True)
class RouteStep:
    """One route that routing looked at for an alert, and what it found.

    ``route`` is the place in the tree: ``route``, ``route.routes[0]``, … ``failed`` is the first matcher that did not
    match, as written, with ``saw`` the value it met.
    """

    route: str
    matched: bool
    receiver: str | None = None
    failed: str | None = None
    saw: str | None = None
    note: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Muting:
    """When a route may notify, by the names of time intervals: looked at again whenever a delivery is claimed.

    It is muted outside of all the ``active`` ones, where there are any, and within any of ``mute``. What is muted is
    dropped, or waits (``hold``) and goes out as one digest.
    """

    active: tuple[str, ...] = ()
    mute: tuple[str, ...] = ()
    hold: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Repetition:
    """What makes an alert the repeat of another: the same ``key``, ``within`` so many seconds of its confirmed send."""

    key: str
    within: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Destination:
    """A receiver that an alert goes to, by which route, in which group, and when.

    ``place`` is what the route is called in keys, where one is needed and there is no group: it outlives a change of the tree.
    ``digest`` is a crontab expression: what comes is collected until then.
    """

    receiver: str
    route: str
    group_key: str = ""  # empty: the alert stands alone
    group_labels: Mapping[str, str] = field(default_factory=dict)
    place: str = ""
    wait: float = 0.0
    interval: float = 0.0
    muting: Muting | None = None
    repetition: Repetition | None = None
    digest: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Decision:
    """What routing decided for one alert, with its reasons.

    Either ``destinations`` is not empty or ``suppressed`` says why nothing is sent. ``errors`` are rules that raised:
    the alert went on without them.
    """

    destinations: tuple[Destination, ...] = ()
    suppressed: Suppression | None = None
    steps: Sequence[RouteStep] = ()
    errors: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Message:
    """What a channel is given to render: the alerts that one delivery names, and what the delivery is.

    ``group_labels`` are the values the group shares; ``part`` of ``parts`` where a group was too large for one message;
    ``errors`` are Bellwire's own troubles with it, to be shown at its end; ``own_form`` leaves the channel's templates out.
    """

    delivery_id: str
    kind: DeliveryKind
    receiver: str
    alerts: tuple[Alert, ...]
    group_key: str = ""
    group_labels: Mapping[str, str] = field(default_factory=dict)
    part: int = 1
    parts: int = 1
    origin: str | None = None
    suppressed: int = 0
    errors: tuple[str, ...] = ()
    own_form: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Envelope:
    """One attempt at one delivery: the frozen body, byte for byte the same in every attempt.

    ``doubtful`` is True if an earlier attempt may have arrived: a channel that can ask the other side asks first.
    ``remote`` is what the channel's earlier receipts on this channel left for it (see `Receipt`), empty at first.
    ``group`` is what they left with the message's group, empty at its first message; None: it is of no group.
    """

    delivery_id: str
    attempt: int
    body: bytes
    sent_at: datetime
    doubtful: bool = False
    remote: str = ""
    group: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Receipt:
    """The other side's confirmation.

    ``detail`` is a short text for people; ``remote`` is what the channel wants to be given back with later attempts
    (Slack: the id of the conversation), kept in the ledger for the channel; ``group`` is the same for the message's group
    (Slack: its thread). ``afterwards`` is done once all of that is written, and may fail; it returns for how many seconds
    the other side asked to be left alone, after which it is done again, None if it has ended.
    """

    detail: str
    remote: str = ""
    group: str = ""
    afterwards: Callable[[], Awaitable[float | None]] | None = field(default=None, compare=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class Page:
    """One page of an account's unread notifications, newest or oldest first as the vendor has it.

    ``next_cursor`` is the dialect's own text for the page after it, None on the last one; with ``by_offset`` it is the
    number of rows before that page. ``total`` is the vendor's count of all that match, where it gives one.
    """

    items: tuple[Notification, ...]
    next_cursor: str | None
    total: int | None = None
    by_offset: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Discard:
    """Something on a stream that could not become a notification: counted, recorded, dropped."""

    reason: str  # broken_json, no_id, oversized, not_an_object …
    detail: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class StatusChange:
    """What a stream says became of an item at its vendor, by someone else's hand or by itself; ``status`` is final."""

    upstream_id: str
    status: str


StreamItem: TypeAlias = "Notification | Discard | StatusChange"
"""What a stream brings."""


class MarkOutcome(enum.StrEnum):
    """The vendor's answer to marking one notification as read."""

    CONFIRMED = "confirmed"
    RETRY = "retry"
    FAILED = "failed"


@dataclass(frozen=True, kw_only=True, slots=True)
class MarkResult:
    """What came of marking one notification: ``detail`` says why it was not confirmed."""

    upstream_id: str
    outcome: MarkOutcome
    detail: str = ""
