"""Silences, shadows, repeats and windows; stand-ins of channels that do not get through; Bellwire's own troubles."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add them, and say of what waits when it was first due."""
    op.create_index("ix_alerts_account", "alerts", ["account_id", "id"])
    op.create_index("ix_alerts_type", "alerts", ["type", "id"])
    op.create_index("ix_alerts_severity", "alerts", ["severity", "id"])
    for state in ("dead", "suppressed"):
        of_state = sa.text(f"state = '{state}'")
        op.create_index(f"ix_alerts_{state}", "alerts", ["id"], sqlite_where=of_state, postgresql_where=of_state)
    op.create_table(
        "actions",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("who", sa.Text(), nullable=False),
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "repeat_waiters",
        sa.Column("channel_id", sa.BigInteger(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("alert_id", sa.String(length=26), nullable=False),
        sa.PrimaryKeyConstraint("channel_id", "key", "alert_id"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "repeats",
        sa.Column("channel_id", sa.BigInteger(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("alert_id", sa.String(length=26), nullable=False),
        sa.Column("sent_at", sa.BigInteger(), nullable=True),
        sa.Column("until", sa.BigInteger(), nullable=True),
        sa.Column("within", sa.Float(), nullable=False),
        sa.Column("suppressed", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("channel_id", "key"),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_repeats_alert_id"), "repeats", ["alert_id"])
    op.create_index(op.f("ix_repeats_until"), "repeats", ["until"])
    op.create_table(
        "shadows",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.Column("alert_id", sa.String(length=26), nullable=False),
        sa.PrimaryKeyConstraint("key"),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_shadows_until"), "shadows", ["until"])
    op.create_table(
        "silences",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("matchers", sa.Text(), nullable=False),
        sa.Column("starts_at", sa.BigInteger(), nullable=False),
        sa.Column("ends_at", sa.BigInteger(), nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("comment", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("expired_by", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_silences_ends_at"), "silences", ["ends_at"])
    op.create_table(
        "stand_ins",
        sa.Column("alert_id", sa.String(length=26), nullable=False),
        sa.Column("channel_id", sa.BigInteger(), nullable=False),
        sa.Column("receiver", sa.Text(), nullable=False),
        sa.Column("by_channel_id", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("alert_id", "channel_id", "receiver", "by_channel_id"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_stand_ins_by", "stand_ins", ["alert_id", "by_channel_id"])
    op.create_table(
        "trouble_messages",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("trouble_id", sa.String(length=26), nullable=False),
        sa.Column("channel_id", sa.BigInteger(), nullable=False),
        sa.Column("end", sa.Boolean(), nullable=False),
        sa.Column("title", sa.Text(), server_default="", nullable=False),
        sa.Column("text", sa.Text(), server_default="", nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=True),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("doubtful", sa.Boolean(), nullable=False),
        sa.Column("first_attempt_at", sa.BigInteger(), nullable=True),
        sa.Column("finished_at", sa.BigInteger(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(
        "ix_trouble_messages_due",
        "trouble_messages",
        ["channel_id", "due_at"],
        sqlite_where=sa.text("state IN ('pending', 'sending')"),
        postgresql_where=sa.text("state IN ('pending', 'sending')"),
    )
    op.create_index(op.f("ix_trouble_messages_trouble_id"), "trouble_messages", ["trouble_id"])
    op.create_table(
        "troubles",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), server_default="", nullable=False),
        sa.Column("number", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("counted_at", sa.BigInteger(), nullable=True),
        sa.Column("began_at", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(
        "ix_troubles_open",
        "troubles",
        ["key"],
        unique=True,
        sqlite_where=sa.text("ended_at IS NULL"),
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.add_column("alerts", sa.Column("suppressed_by", sa.Text(), nullable=True))
    op.add_column("deliveries", sa.Column("wanted_at", sa.BigInteger(), nullable=True))
    op.add_column("deliveries", sa.Column("fallen_back", sa.Boolean(), server_default=sa.text("0"), nullable=False))
    op.add_column("deliveries", sa.Column("suppressed", sa.Integer(), server_default=sa.text("0"), nullable=False))
    op.add_column("deliveries", sa.Column("muting", sa.Text(), nullable=True))
    op.add_column("deliveries", sa.Column("wall_due_at", sa.BigInteger(), nullable=True))
    op.create_index(
        "ix_deliveries_by_wall",
        "deliveries",
        ["wall_due_at"],
        sqlite_where=sa.text("state = 'pending' AND wall_due_at IS NOT NULL"),
        postgresql_where=sa.text("state = 'pending' AND wall_due_at IS NOT NULL"),
    )
    op.create_index(
        "ix_deliveries_late",
        "deliveries",
        ["channel_id", "wanted_at"],
        sqlite_where=sa.text("state IN ('pending', 'sending') AND NOT fallen_back"),
        postgresql_where=sa.text("state IN ('pending', 'sending') AND NOT fallen_back"),
    )
    op.add_column("groups", sa.Column("remote", sa.Text(), server_default="", nullable=False))
    op.add_column("obligations", sa.Column("detail", sa.Text(), nullable=True))
    op.execute("UPDATE deliveries SET wanted_at = due_at WHERE state IN ('pending', 'sending')")
