"""What a batch is for, and the batch that pays for it."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Bring the tables of the revision before to this one."""
    op.add_column("batch", sa.Column("purpose", sa.String(), server_default="answer", nullable=False))
    op.add_column("batch", sa.Column("payer_no", sa.Integer(), nullable=True))
