"""How unlike a router's training prompts the prompts of a batch are."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Bring the tables of the revision before to this one."""
    op.create_table(
        "router_drift",
        sa.Column("batch_no", sa.Integer(), nullable=False),
        sa.Column("version", sa.String(), nullable=False),
        sa.Column("seen", sa.LargeBinary(), nullable=False),
        sa.Column("figures", sa.JSON(), nullable=True),
        sa.PrimaryKeyConstraint("batch_no", "version"),
    )
