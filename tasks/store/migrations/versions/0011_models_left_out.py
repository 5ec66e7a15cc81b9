"""The models that cannot answer a request, with the reasons (JSON); null where all can."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """Bring the tables of the revision before to this one."""
    op.add_column("request", sa.Column("left_out", sa.Text(), nullable=True))
