"""What a request that waits for money waits for: the worst case of its call."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    """Bring the tables of the revision before to this one."""
    op.add_column("request", sa.Column("waits_for", sa.BigInteger(), nullable=True))
