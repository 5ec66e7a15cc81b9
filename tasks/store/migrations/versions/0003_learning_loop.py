"""The learning loop: sampled prompts, their answers, verdicts, labels of people; the chance of a choice."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Bring the tables of the revision before to this one."""
    op.create_table(
        "human_label",
        sa.Column("prompt_hash", sa.String(), nullable=False),
        sa.Column("first", sa.String(), nullable=False),
        sa.Column("second", sa.String(), nullable=False),
        sa.Column("annotator", sa.String(), nullable=False),
        sa.Column("value", sa.Float(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("prompt_hash", "first", "second", "annotator"),
    )
    op.create_table(
        "human_prompt",
        sa.Column("prompt_hash", sa.String(), nullable=False),
        sa.Column("prompt", sa.Text(), nullable=False),
        sa.Column("custom_id", sa.String(), nullable=True),
        sa.Column("category", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("prompt_hash"),
    )
    op.create_table(
        "judged_prompt",
        sa.Column("batch_no", sa.Integer(), nullable=False),
        sa.Column("prompt_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("chunk_id", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("pairs", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("judged", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("losses", sa.BigInteger(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("batch_no", "prompt_id"),
    )
    op.create_index(
        "ix_judged_prompt_chunk",
        "judged_prompt",
        ["chunk_id"],
        sqlite_where=sa.text("state = 'open'"),
        postgresql_where=sa.text("state = 'open'"),
    )

    op.create_table(
        "sampled_answer",
        sa.Column("prompt_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("model", sa.String(), nullable=False),
        sa.Column("request_id", sa.BigInteger(), nullable=False),
        sa.Column("characters", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("prompt_id", "model"),
    )
    op.create_table(
        "sampled_prompt",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("batch_no", sa.Integer(), nullable=False),
        sa.Column("custom_id", sa.String(), nullable=False),
        sa.Column("prompt_hash", sa.String(), nullable=False),
        sa.Column("category", sa.String(), nullable=True),
        sa.Column("request_id", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_sampled_prompt_batch_no", "sampled_prompt", ["batch_no"])
    op.create_index("ix_sampled_prompt_prompt_hash", "sampled_prompt", ["prompt_hash"])

    op.create_table(
        "verdict",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("batch_no", sa.Integer(), nullable=False),
        sa.Column("prompt_id", sa.BigInteger(), nullable=False),
        sa.Column("judge", sa.String(), nullable=False),
        sa.Column("first", sa.String(), nullable=False),
        sa.Column("second", sa.String(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("request_id", sa.BigInteger(), nullable=True),
        sa.Column("verdict", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("batch_no", "prompt_id", "judge", "first", "second", "number"),
        sa.UniqueConstraint("request_id"),
    )
    op.create_index("ix_verdict_prompt", "verdict", ["prompt_id"])

    op.add_column("decision", sa.Column("propensity", sa.Float(), nullable=True))
