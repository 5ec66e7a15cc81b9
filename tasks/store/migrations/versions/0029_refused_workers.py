"""Whether the Redis user of a worker may not do what its role needs."""

import sqlalchemy as sa
from alembic import op

revision = "0029"
down_revision = "0028"


def upgrade() -> None:
    """Bring the tables of the revision before to this one."""
    op.add_column("worker", sa.Column("is_refused", sa.Boolean(), server_default=sa.false(), nullable=False))
