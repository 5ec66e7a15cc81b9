"""The prompts of a batch that a router took for like its labels, and for unlike them."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    """Bring the tables of the revision before to this one."""
    for name in ("familiar", "unfamiliar"):
        op.add_column("router_drift", sa.Column(name, sa.BigInteger(), server_default="0", nullable=False))
