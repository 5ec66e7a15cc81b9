"""Since when a chunk waits, and the counters of the processes."""

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"


def upgrade() -> None:
    """Bring the tables of the revision before to this one."""
    op.add_column("chunk", sa.Column("opened_at", sa.BigInteger(), server_default="0", nullable=False))
    op.create_table(
        "process_counters",
        sa.Column("process", sa.String(), nullable=False),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("written_at", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("counters", sa.JSON(none_as_null=True), nullable=True),
        sa.PrimaryKeyConstraint("process"),
    )
