"""Counters of answer checks, and the answers that did not fit, with their attempts."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Bring the tables of the revision before to this one."""
    for name in ("invalid_answers", "repaired", "asked_again"):
        op.add_column("batch", sa.Column(name, sa.BigInteger(), server_default="0", nullable=False))
    op.add_column("attempt", sa.Column("answer", sa.Text(), nullable=True))
