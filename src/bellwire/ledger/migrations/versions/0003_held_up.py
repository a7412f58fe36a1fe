"""Since when a channel is paused, and which of what waits for it was tried before."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add them. A pause that is in force counts from when it is met next."""
    op.add_column("channels", sa.Column("blocked_since", sa.BigInteger(), nullable=True))
    op.create_index(
        "ix_deliveries_tried",
        "deliveries",
        ["channel_id", "first_attempt_at"],
        sqlite_where=sa.text("state = 'pending' AND attempts > 0"),
        postgresql_where=sa.text("state = 'pending' AND attempts > 0"),
    )
