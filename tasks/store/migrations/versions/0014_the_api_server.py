"""Keys, files and batches of the API server, and the order in which their requests ended."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    """Bring the tables of the revision before to this one."""
    op.create_table(
        "api_batch",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("owner", sa.String(), nullable=False),
        sa.Column("input_file_id", sa.String(), nullable=False),
        sa.Column("endpoint", sa.String(), nullable=False),
        sa.Column("completion_window", sa.String(), nullable=False),
        sa.Column("pairs", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("output_expires_after", sa.Integer(), nullable=True),
        sa.Column("output_file_id", sa.String(), nullable=False),
        sa.Column("error_file_id", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("errors", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("budget", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("expires_at", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("in_progress_at", sa.BigInteger(), nullable=True),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.Column("cancelling_at", sa.BigInteger(), nullable=True),
        sa.Column("expired_at", sa.BigInteger(), nullable=True),
        sa.Column("lease_until", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("fence", sa.Integer(), nullable=False),
        sa.Column("idempotency_key", sa.String(), nullable=True),
        sa.Column("fingerprint", sa.String(), nullable=False),
        sa.Column("known_at", sa.BigInteger(), nullable=True),
        sa.Column("measured", sa.JSON(none_as_null=True), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("error_file_id"),
        sa.UniqueConstraint("output_file_id"),
        sa.UniqueConstraint("owner", "idempotency_key"),
    )
    with op.batch_alter_table("api_batch", schema=None) as batch_op:
        batch_op.create_index(
            "ix_api_batch_fingerprint", ["owner", "fingerprint", "created_at"], unique=False
        )
        batch_op.create_index("ix_api_batch_owner", ["owner", "created_at", "id"], unique=False)
        batch_op.create_index("ix_api_batch_state", ["state", "expires_at"], unique=False)

    op.create_table(
        "api_file",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("owner", sa.String(), nullable=False),
        sa.Column("purpose", sa.String(), nullable=False),
        sa.Column("filename", sa.String(), nullable=False),
        sa.Column("bytes", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("stored_as", sa.String(), nullable=True),
        sa.Column("sha256", sa.String(), nullable=True),
        sa.Column("batch_id", sa.String(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=True),
        sa.Column("deleted_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("api_file", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_api_file_batch_id"), ["batch_id"], unique=False)
        batch_op.create_index("ix_api_file_expires", ["expires_at"], unique=False)
        batch_op.create_index("ix_api_file_owner", ["owner", "created_at", "id"], unique=False)

    op.create_table(
        "api_key",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("secret_hash", sa.String(), nullable=False),
        sa.Column("previous_hash", sa.String(), nullable=True),
        sa.Column("previous_until", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("budget_day", sa.BigInteger(), nullable=True),
        sa.Column("budget_month", sa.BigInteger(), nullable=True),
        sa.Column("models", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("rpm", sa.Integer(), nullable=True),
        sa.Column("concurrent_batches", sa.Integer(), nullable=True),
        sa.Column("priority", sa.String(), server_default="normal", nullable=False),
        sa.Column("next_request_at", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("created_at", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("revoked_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("name"),
    )
    op.create_table(
        "api_upload",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("owner", sa.String(), nullable=False),
        sa.Column("filename", sa.String(), nullable=False),
        sa.Column("purpose", sa.String(), nullable=False),
        sa.Column("mime_type", sa.String(), nullable=False),
        sa.Column("bytes", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("file_id", sa.String(), nullable=True),
        sa.Column("expires_after", sa.Integer(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("expires_at", sa.BigInteger(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "api_upload_part",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("upload_id", sa.String(), nullable=False),
        sa.Column("bytes", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("stored_as", sa.String(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("api_upload_part", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_api_upload_part_upload_id"), ["upload_id"], unique=False)

    op.create_table(
        "ended_request",
        sa.Column("batch_no", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("request_id", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("batch_no", "number"),
    )
    with op.batch_alter_table("ended_request", schema=None) as batch_op:
        batch_op.create_index("ix_ended_request_id", ["request_id"], unique=False)

    op.create_table(
        "output_mark",
        sa.Column("file_id", sa.String(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("offset", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("file_id", "number"),
    )
