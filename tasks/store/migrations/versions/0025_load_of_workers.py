"""What a worker uses of its host: memory and processors."""

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"


def upgrade() -> None:
    """Bring the tables of the revision before to this one."""
    op.add_column("worker", sa.Column("memory_bytes", sa.BigInteger(), nullable=True))
    op.add_column("worker", sa.Column("cpu", sa.Float(), nullable=True))
