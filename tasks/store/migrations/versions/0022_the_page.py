"""The page: operators among the keys, sessions of browsers, figures of batches."""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"


def upgrade() -> None:
    """Bring the tables of the revision before to this one."""
    with op.batch_alter_table("api_key", schema=None) as batch_op:
        batch_op.add_column(sa.Column("is_operator", sa.Boolean(), server_default=sa.false(), nullable=False))

    op.create_table(
        "page_session",
        sa.Column("token_hash", sa.String(), nullable=False),
        sa.Column("key_id", sa.String(), nullable=False),
        sa.Column("secret_hash", sa.String(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("expires_at", sa.BigInteger(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("token_hash"),
    )
    with op.batch_alter_table("page_session", schema=None) as batch_op:
        batch_op.create_index("ix_page_session_key_id", ["key_id"], unique=False)

    op.create_table(
        "batch_figures",
        sa.Column("batch_no", sa.Integer(), nullable=False),
        sa.Column("sampled_at", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("rate", sa.Float(), server_default="0", nullable=False),
        sa.Column("course", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("counted_at", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("count_ms", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("counted_done", sa.BigInteger(), nullable=True),
        sa.Column("parts", sa.JSON(none_as_null=True), nullable=True),
        sa.PrimaryKeyConstraint("batch_no"),
    )
