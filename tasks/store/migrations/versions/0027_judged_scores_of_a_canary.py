"""The judged scores of a canary and of its champion, as upkeep measured them last."""

import sqlalchemy as sa
from alembic import op

revision = "0027"
down_revision = "0026"


def upgrade() -> None:
    """Bring the tables of the revision before to this one."""
    op.add_column("router_role", sa.Column("judged", sa.JSON(), nullable=True))
    op.add_column("router_role", sa.Column("judged_at", sa.BigInteger(), nullable=True))
