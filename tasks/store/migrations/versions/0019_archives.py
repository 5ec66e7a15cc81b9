"""When a batch was archived, and the hash of its archive; PostgreSQL cleans the large tables sooner."""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"

#: Rows of a ledger are written a few times each: a fifth of a large table would be dead before it is cleaned.
_LARGE = ("request", "chunk", "attempt", "outcome")
#: Few rows, of which each is written thousands of times, or which come and go.
_BUSY = ("batch", "outbox", "batch_delta", "purse")


def upgrade() -> None:
    """Bring the tables of the revision before to this one."""
    op.add_column("batch", sa.Column("archived_at", sa.BigInteger(), nullable=True))
    op.add_column("batch", sa.Column("archive_hash", sa.String(), nullable=True))
    if op.get_bind().dialect.name != "postgresql":
        return
    for name in _LARGE:
        op.execute(
            f"ALTER TABLE {name} SET (autovacuum_vacuum_scale_factor = 0.02,"
            " autovacuum_vacuum_insert_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.02)"
        )
    for name in _BUSY:
        op.execute(
            f"ALTER TABLE {name} SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500,"
            " fillfactor = 50)"
        )
