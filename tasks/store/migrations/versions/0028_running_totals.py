"""Running totals, so that a scrape need not sum over all batches that there ever were."""

import sqlalchemy as sa
from alembic import op

revision = "0028"
down_revision = "0027"


def upgrade() -> None:
    """Bring the tables of the revision before to this one."""
    op.create_table(
        "running_total",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("value", sa.BigInteger(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.execute(
        "INSERT INTO running_total (name, value) "
        "SELECT 'routing_saved', COALESCE(SUM(saved), 0) FROM batch_figures"
    )
