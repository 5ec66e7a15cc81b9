"""What was mended, dropped or left out of a request and its answer."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Bring the tables of the revision before to this one."""
    op.add_column("outcome", sa.Column("notes", sa.JSON(), nullable=True))
