"""The endpoint of the API that a request is sent to; null for chat completions."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Bring the tables of the revision before to this one."""
    op.add_column("request", sa.Column("endpoint", sa.String(), nullable=True))
