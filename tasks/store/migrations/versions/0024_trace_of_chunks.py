"""The trace context that a chunk carries from stage to stage."""

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"


def upgrade() -> None:
    """Bring the tables of the revision before to this one."""
    op.add_column("chunk", sa.Column("trace", sa.String(), nullable=True))
