"""What routing has saved of each batch, so that it can be summed."""

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision = "0025"


def upgrade() -> None:
    """Bring the tables of the revision before to this one."""
    op.add_column("batch_figures", sa.Column("saved", sa.BigInteger(), nullable=True))
