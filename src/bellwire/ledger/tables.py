"""The tables. Migrations make them; a test holds the two equal.

No foreign keys: every write goes through this package, `audit` checks what they would, and they cost on each of the
rows that an alert writes. Payloads, decisions and bodies have tables of their own, so that what is scanned stays small.
Whatever is asked for by state has a partial index, so that its cost follows what is open, not what has ever been.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    false,
    text,
)

from bellwire.ledger.types import EnumText, Instant, JsonText
from bellwire.model import (
    AlertState,
    DeliveryKind,
    DeliveryState,
    MarkPolicy,
    MarkState,
    ObligationState,
    Suppression,
    Via,
)

# The database's own counter. SQLite knows only INTEGER PRIMARY KEY for that.
_Counter = BigInteger().with_variant(Integer, "sqlite")

metadata = MetaData()

accounts = Table(
    "accounts",
    metadata,
    Column("id", _Counter, primary_key=True),
    Column("name", Text, nullable=False),
    Column("base_url", Text, nullable=False),
    Column("started_at", Instant),
    Column("connected_at", Instant),
    Column("last_event_id", Text),
    UniqueConstraint("name", "base_url", name="uq_accounts"),
)

channels = Table(
    "channels",
    metadata,
    Column("id", _Counter, primary_key=True),
    Column("receiver", Text, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("name", Text, nullable=False),
    Column("failures", Integer, nullable=False, server_default=text("0")),  # in a row
    Column("blocked_since", Instant),
    Column("blocked_until", Instant),  # what the other side asked for (Retry-After)
    Column("broken_since", Instant),  # the breaker is open
    Column("probe_at", Instant),  # when it lets the next probe through
    Column("last_error", Text),
    Column("tokens", Float),  # the rate limit's bucket, as it stood at tokens_at
    Column("tokens_at", Instant),
    Column("remote", Text, nullable=False, server_default=""),  # see model.Receipt
    UniqueConstraint("receiver", "kind", "name", name="uq_channels"),
)

UNSETTLED = text("settled_at IS NULL")
DEAD_ALERTS = text("state = 'dead'")
SUPPRESSED_ALERTS = text("state = 'suppressed'")

alerts = Table(
    "alerts",
    metadata,
    Column("id", String(26), primary_key=True),
    Column("account_id", BigInteger, nullable=False),
    Column("upstream_id", Text, nullable=False),
    Column("api", String(32), nullable=False),
    Column("type", Text, nullable=False),
    Column("severity", Integer, nullable=False),
    Column("title", Text, nullable=False),
    Column("url", Text),
    Column("created_at", Instant, nullable=False),
    Column("received_at", Instant, nullable=False),
    Column("labels", JsonText, nullable=False),
    Column("via", EnumText(Via), nullable=False),
    Column("mark", EnumText(MarkPolicy), nullable=False),  # the account's policy when the alert came
    Column("markable", Boolean, nullable=False),
    Column("state", EnumText(AlertState), nullable=False),
    Column("suppression", EnumText(Suppression)),
    Column("suppressed_by", Text),  # the id of the silence, or of the alert that casts its shadow
    Column("settled_at", Instant),
    UniqueConstraint("account_id", "upstream_id", name="uq_alerts_identity"),
    Index("ix_alerts_account", "account_id", "id"),
    Index("ix_alerts_type", "type", "id"),
    Index("ix_alerts_severity", "severity", "id"),
    Index("ix_alerts_dead", "id", sqlite_where=DEAD_ALERTS, postgresql_where=DEAD_ALERTS),
    Index("ix_alerts_suppressed", "id", sqlite_where=SUPPRESSED_ALERTS, postgresql_where=SUPPRESSED_ALERTS),
    Index("ix_alerts_unsettled", "id", sqlite_where=UNSETTLED, postgresql_where=UNSETTLED),
)

alert_contents = Table(
    "alert_contents",
    metadata,
    Column("alert_id", String(26), primary_key=True),
    Column("message", Text, nullable=False),
    Column("payload", LargeBinary, nullable=False),  # JSON
    Column("decision", LargeBinary, nullable=False),  # JSON, see routing.record
)

alert_events = Table(
    "alert_events",
    metadata,
    Column("id", _Counter, primary_key=True),
    Column("alert_id", String(26), nullable=False, index=True),
    Column("at", Instant, nullable=False),
    Column("kind", Text, nullable=False),
    Column("detail", JsonText, nullable=False),
)

obligations = Table(
    "obligations",
    metadata,
    Column("alert_id", String(26), primary_key=True),
    Column("channel_id", BigInteger, primary_key=True),
    Column("delivery_id", String(26), nullable=False, index=True),
    Column("state", EnumText(ObligationState), nullable=False),
    Column("reason", Text),
    Column("detail", Text),  # which silence, which alert …
    sqlite_with_rowid=False,
)

# A partial index serves only queries that say its condition in the same words: so they use these texts.
CLAIMABLE = text("state = 'pending' AND head")
SENDING = text("state = 'sending'")
UNFINISHED = text("state IN ('pending', 'sending') AND group_key <> ''")
DEAD = text("state = 'dead'")
WAITING = text("state IN ('pending', 'sending')")
LATE = text("state IN ('pending', 'sending') AND NOT fallen_back")
TRIED = text("state = 'pending' AND attempts > 0")
BY_WALL = text("state = 'pending' AND wall_due_at IS NOT NULL")

deliveries = Table(
    "deliveries",
    metadata,
    Column("id", String(26), primary_key=True),
    Column("channel_id", BigInteger, nullable=False),
    Column("kind", EnumText(DeliveryKind), nullable=False),
    Column("state", EnumText(DeliveryState), nullable=False),
    Column("group_key", Text, nullable=False),  # empty: it stands alone
    Column("group_labels", JsonText, nullable=False),
    Column("group_interval", Float, nullable=False),  # seconds
    Column("head", Boolean, nullable=False),  # nothing earlier of its group is unfinished
    Column("open", Boolean, nullable=False),  # it still takes members
    Column("part", Integer, nullable=False),
    Column("parts", Integer, nullable=False),
    Column("origin", String(26)),
    Column("due_at", Instant, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("doubtful", Boolean, nullable=False),  # an attempt may have arrived
    Column("owner", Text),
    Column("lease_until", Instant),
    Column("created_at", Instant, nullable=False),
    Column("first_attempt_at", Instant),
    Column("finished_at", Instant),
    Column("reason", Text),
    Column("wanted_at", Instant),  # when it was first due: retries do not move it
    Column("fallen_back", Boolean, nullable=False, server_default=false()),  # its fallbacks have been asked
    Column("suppressed", Integer, nullable=False, server_default=text("0")),  # repeats that it speaks for
    Column("muting", JsonText),  # model.Muting; None: it may go at any time
    Column("wall_due_at", Instant),  # when it is due by the wall's clock: due_at follows that; None: by ours alone
    Index("ix_deliveries_by_wall", "wall_due_at", sqlite_where=BY_WALL, postgresql_where=BY_WALL),
    Index("ix_deliveries_late", "channel_id", "wanted_at", sqlite_where=LATE, postgresql_where=LATE),
    Index("ix_deliveries_due", "channel_id", "due_at", "id", sqlite_where=CLAIMABLE, postgresql_where=CLAIMABLE),
    Index("ix_deliveries_sending", "channel_id", "lease_until", sqlite_where=SENDING, postgresql_where=SENDING),
    Index("ix_deliveries_group", "channel_id", "group_key", "id", sqlite_where=UNFINISHED, postgresql_where=UNFINISHED),
    Index("ix_deliveries_dead", "id", sqlite_where=DEAD, postgresql_where=DEAD),
    Index("ix_deliveries_tried", "channel_id", "first_attempt_at", sqlite_where=TRIED, postgresql_where=TRIED),
    Index("ix_deliveries_waiting", "channel_id", "created_at", sqlite_where=WAITING, postgresql_where=WAITING),
)

delivery_bodies = Table(
    "delivery_bodies",
    metadata,
    Column("delivery_id", String(26), primary_key=True),
    Column("body", LargeBinary, nullable=False),
)

groups = Table(
    "groups",
    metadata,
    Column("channel_id", BigInteger, primary_key=True),
    Column("group_key", Text, primary_key=True),
    Column("last_message_at", Instant, nullable=False),
    Column("remote", Text, nullable=False, server_default=""),  # what the channel left with it: see model.Receipt
    sqlite_with_rowid=False,
)

attempts = Table(
    "attempts",
    metadata,
    Column("delivery_id", String(26), primary_key=True),
    Column("n", Integer, primary_key=True),
    Column("started_at", Instant, nullable=False),
    Column("ended_at", Instant),
    Column("outcome", Text),  # 'sent' or a verdict; None: not known
    Column("reason", Text),
    Column("detail", Text),
    sqlite_with_rowid=False,
)

PENDING = text("state = 'pending'")
OPEN_TROUBLE = text("ended_at IS NULL")

read_marks = Table(
    "read_marks",
    metadata,
    Column("alert_id", String(26), primary_key=True),
    Column("account_id", BigInteger, nullable=False),
    Column("upstream_id", Text, nullable=False),
    Column("state", EnumText(MarkState), nullable=False),
    Column("due_at", Instant, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("finished_at", Instant),
    Column("detail", Text),
    Index("ix_read_marks_due", "account_id", "due_at", "alert_id", sqlite_where=PENDING, postgresql_where=PENDING),
    sqlite_with_rowid=False,
)

source_events = Table(
    "source_events",
    metadata,
    Column("id", _Counter, primary_key=True),
    Column("account_id", BigInteger, nullable=False),
    Column("at", Instant, nullable=False),
    Column("kind", Text, nullable=False),
    Column("detail", JsonText, nullable=False),
    Index("ix_source_events_account", "account_id", "id"),
)

totals = Table(
    "totals",
    metadata,
    Column("name", String(64), primary_key=True),  # alerts.received, alerts.delivered, deliveries.sent …
    Column("number", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

silences = Table(
    "silences",
    metadata,
    Column("id", String(26), primary_key=True),
    Column("matchers", JsonText, nullable=False),  # texts
    Column("starts_at", Instant, nullable=False),  # by the wall's clock, like ends_at
    Column("ends_at", Instant, nullable=False, index=True),
    Column("author", Text, nullable=False),
    Column("comment", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("expired_by", Text),  # who ended it before its time
)

shadows = Table(
    "shadows",
    metadata,
    Column("key", Text, primary_key=True),  # an inhibit rule and the values that must be equal
    Column("until", Instant, nullable=False, index=True),
    Column("alert_id", String(26), nullable=False),
    sqlite_with_rowid=False,
)

repeats = Table(
    "repeats",
    metadata,
    Column("channel_id", BigInteger, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("alert_id", String(26), nullable=False, index=True),  # the first one
    Column("sent_at", Instant),  # when that was confirmed; None: not yet, or nothing came of it
    Column("until", Instant, index=True),  # repeats are suppressed until then; None: the first one is unsettled
    Column("within", Float, nullable=False),  # seconds
    Column("suppressed", Integer, nullable=False),  # since the last message that said how many
    sqlite_with_rowid=False,
)

repeat_waiters = Table(
    "repeat_waiters",
    metadata,
    Column("channel_id", BigInteger, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("alert_id", String(26), primary_key=True),  # it waits for what becomes of the first one
    sqlite_with_rowid=False,
)

stand_ins = Table(
    "stand_ins",
    metadata,
    Column("alert_id", String(26), primary_key=True),
    Column("channel_id", BigInteger, primary_key=True),  # the one that does not get through
    Column("receiver", Text, primary_key=True),  # covers it, once all of its channels have confirmed
    Column("by_channel_id", BigInteger, primary_key=True),
    Index("ix_stand_ins_by", "alert_id", "by_channel_id"),
    sqlite_with_rowid=False,
)

troubles = Table(
    "troubles",
    metadata,
    Column("id", String(26), primary_key=True),
    Column("key", Text, nullable=False),  # what it is about: one of a key is open at a time
    Column("kind", String(32), nullable=False),
    Column("text", Text, nullable=False),  # one line
    Column("detail", Text, nullable=False, server_default=""),  # more of it
    Column("number", Integer, nullable=False, server_default=text("0")),  # of what is counted: deliveries, read marks
    Column("counted_at", Instant),  # when it last was
    Column("began_at", Instant, nullable=False),  # by the wall's clock, like ended_at
    Column("ended_at", Instant),
    Index("ix_troubles_open", "key", unique=True, sqlite_where=OPEN_TROUBLE, postgresql_where=OPEN_TROUBLE),
)

trouble_messages = Table(
    "trouble_messages",
    metadata,
    Column("id", String(26), primary_key=True),
    Column("trouble_id", String(26), nullable=False, index=True),
    Column("channel_id", BigInteger, nullable=False),
    Column("end", Boolean, nullable=False),  # it says that the trouble is over
    Column("title", Text, nullable=False, server_default=""),
    Column("text", Text, nullable=False, server_default=""),
    Column("state", EnumText(DeliveryState), nullable=False),
    Column("body", LargeBinary),
    Column("due_at", Instant, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("doubtful", Boolean, nullable=False),
    Column("first_attempt_at", Instant),
    Column("finished_at", Instant),
    Column("reason", Text),
    Index("ix_trouble_messages_due", "channel_id", "due_at", sqlite_where=WAITING, postgresql_where=WAITING),
)

actions = Table(
    "actions",
    metadata,
    Column("id", _Counter, primary_key=True),
    Column("at", Instant, nullable=False),
    Column("who", Text, nullable=False),
    Column("what", Text, nullable=False),  # silence_added, delivery_replayed, alert_marked …
    Column("detail", JsonText, nullable=False),
)
