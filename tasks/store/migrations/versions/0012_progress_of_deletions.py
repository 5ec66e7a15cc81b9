"""How far the deletion of a batch's prompts and answers has come."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    """Bring the tables of the revision before to this one."""
    op.add_column("batch", sa.Column("data_cleared_to", sa.BigInteger(), nullable=True))
