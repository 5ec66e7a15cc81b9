"""An index by which the deletion of a batch finds the samples that have answers of it."""

from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    """Bring the tables of the revision before to this one."""
    op.create_index("ix_sampled_answer_request", "sampled_answer", ["request_id"], unique=False)
