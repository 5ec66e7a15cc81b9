"""Duplicates with random answers, answers of earlier batches, and the deletion of prompts and answers."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Bring the tables of the revision before to this one."""
    for name in ("random_duplicates", "reused", "saved"):
        op.add_column("batch", sa.Column(name, sa.BigInteger(), server_default="0", nullable=False))
    op.add_column("batch", sa.Column("owner", sa.String(), nullable=True))
    op.add_column("batch", sa.Column("data_deleted_at", sa.BigInteger(), nullable=True))
    answered = sa.text("state = 'succeeded' AND duplicate_of IS NULL")
    op.create_index(
        "ix_request_answered",
        "request",
        ["body_hash", "model"],
        unique=False,
        sqlite_where=answered,
        postgresql_where=answered,
    )
