"""Requests that wait for money; priorities, pauses and turns of batches; the mark of the sweeper."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    """Bring the tables of the revision before to this one."""
    op.add_column("request", sa.Column("waits_for", sa.BigInteger(), nullable=True))
    op.add_column("batch", sa.Column("priority", sa.String(), server_default="normal", nullable=False))
    op.add_column("batch", sa.Column("paused_at", sa.BigInteger(), nullable=True))
    op.create_table(
        "upkeep_mark",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("written_at", sa.BigInteger(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_index("ix_chunk_turn", "chunk", ["queue", "state", "batch_no", "id"], unique=False)
