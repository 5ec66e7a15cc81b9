"""What a call used, by the kinds that providers price."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Bring the tables of the revision before to this one."""
    op.add_column("attempt", sa.Column("usage", sa.JSON(none_as_null=True), nullable=True))
