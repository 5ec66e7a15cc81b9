"""The tables of the API server; prompts of uploaded files lie in the file storage, not here."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Index, UniqueConstraint, false
from sqlmodel import Field, SQLModel

from tasks.store.columns import (
    autoincrement_key,
    bigint_column,
    counter_column,
    json_column,
    partial_index,
    table_of,
)


class ApiKeyRow(SQLModel, table=True):
    """A key of the API, which is a tenant: files and batches belong to it. Its secret is stored as a hash."""

    __tablename__ = "api_key"

    id: str = Field(primary_key=True)
    name: str = Field(unique=True)
    #: SHA-256 of the secret, in hex, and of the one before a rotation, which holds until `previous_until`
    secret_hash: str
    previous_hash: str | None = None
    previous_until: int = counter_column()
    #: micro-dollars that batches of one day, and of one month (UTC), may cost; null: no limit
    budget_day: int | None = bigint_column(nullable=True)
    budget_month: int | None = bigint_column(nullable=True)
    #: the models that it may use, a JSON list; null: all
    models: list[str] | None = json_column()
    #: requests to the API per minute, and batches that may be unfinished at once; null: no limit
    rpm: int | None = None
    concurrent_batches: int | None = None
    #: the priority class of its batches: low, normal, high
    priority: str = Field(default="normal", sa_column_kwargs={"server_default": "normal"})
    #: when its next request may start, by the generic cell rate algorithm
    next_request_at: int = counter_column()
    created_at: int = counter_column()
    revoked_at: int | None = bigint_column(nullable=True)
    #: whether its page shows the counts of all keys' batches, the routers and operations
    is_operator: bool = Field(default=False, sa_column_kwargs={"server_default": false()})


class FileRow(SQLModel, table=True):
    """A file of the API: an uploaded one, or the output or error file of a batch that has ended."""

    __tablename__ = "api_file"
    __table_args__ = (
        Index("ix_api_file_owner", "owner", "created_at", "id"),
        Index("ix_api_file_expires", "expires_at"),
    )

    id: str = Field(primary_key=True)
    owner: str
    purpose: str
    filename: str
    bytes: int = counter_column()
    #: of an uploaded file: its name in the file storage, and the SHA-256 of its bytes
    stored_as: str | None = None
    sha256: str | None = None
    #: of an output or error file: its batch
    batch_id: str | None = Field(default=None, index=True)
    created_at: int = counter_column()
    expires_at: int | None = bigint_column(nullable=True)
    deleted_at: int | None = bigint_column(nullable=True)


class UploadRow(SQLModel, table=True):
    """An upload in parts."""

    __tablename__ = "api_upload"

    id: str = Field(primary_key=True)
    owner: str
    filename: str
    purpose: str
    mime_type: str
    bytes: int = counter_column()
    #: pending, completed, cancelled, expired
    status: str
    file_id: str | None = None
    #: how long the file is kept after its creation, in seconds
    expires_after: int | None = None
    created_at: int = counter_column()
    expires_at: int = counter_column()


class UploadPartRow(SQLModel, table=True):
    """A part of an upload."""

    __tablename__ = "api_upload_part"

    id: str = Field(primary_key=True)
    upload_id: str = Field(index=True)
    bytes: int = counter_column()
    stored_as: str
    created_at: int = counter_column()


class ApiBatchRow(SQLModel, table=True):
    """A batch as the API knows it; its requests, once they are valid, are those of the batch with its id."""

    __tablename__ = "api_batch"
    __table_args__ = (
        UniqueConstraint("owner", "idempotency_key"),
        Index("ix_api_batch_owner", "owner", "created_at", "id"),
        Index("ix_api_batch_state", "state", "expires_at"),
        Index("ix_api_batch_fingerprint", "owner", "fingerprint", "created_at"),
    )

    id: str = Field(primary_key=True)
    owner: str
    input_file_id: str
    endpoint: str
    completion_window: str
    #: as it was sent; the pairs `waybill_…` are options
    pairs: dict[str, Any] | None = json_column()
    #: seconds that output files are kept
    output_expires_after: int | None = None
    #: the files of answers and of failures; they can be read as soon as they have a line
    output_file_id: str = Field(unique=True)
    error_file_id: str = Field(unique=True)
    #: validating, running (its requests are stored), ended (its files are measured), failed, cancelled
    state: str
    #: why it failed: a list of {code, line, message, param}
    errors: list[dict[str, Any]] | None = json_column()
    #: micro-dollars that it may cost: what was asked for, or what its key had left; null: no limit
    budget: int | None = bigint_column(nullable=True)
    created_at: int = counter_column()
    expires_at: int = counter_column()
    in_progress_at: int | None = bigint_column(nullable=True)
    ended_at: int | None = bigint_column(nullable=True)
    cancelling_at: int | None = bigint_column(nullable=True)
    #: when its time was over before its requests had ended
    expired_at: int | None = bigint_column(nullable=True)
    #: the process that validates it has it until then, by the database's clock; a later one has another fence
    lease_until: int = counter_column()
    fence: int = 0
    #: of its creation: the header, and the hash of all that was asked for
    idempotency_key: str | None = None
    fingerprint: str
    #: when its owner was seen to know of it; a creation before that may be one whose reply was lost
    known_at: int | None = bigint_column(nullable=True)
    #: what its files hold: bytes, lines, SHA-256; set once it has ended
    measured: dict[str, Any] | None = json_column()


class WebhookTarget(SQLModel, table=True):
    """Where the end of a key's batches is announced; only an operator names it."""

    __tablename__ = "webhook_target"

    owner: str = Field(primary_key=True)
    url: str
    #: signs what is sent: `whsec_…`, which the receiver has, too
    secret: str
    created_at: int = counter_column()


class WebhookEvent(SQLModel, table=True):
    """The end of a batch that is to be announced; written in the transaction that ends the batch."""

    __tablename__ = "webhook_event"
    __table_args__ = (
        partial_index("ix_webhook_event_due", "next_attempt_at", where="delivered_at IS NULL"),
        UniqueConstraint("batch_id", "of_key"),
    )

    id: str = Field(primary_key=True)
    owner: str
    batch_id: str
    #: batch.completed, batch.failed, batch.expired, batch.cancelled
    type: str
    #: whether it goes to the target of the batch's key; else to that of the settings
    of_key: bool
    created_at: int = counter_column()
    next_attempt_at: int = counter_column()
    attempts: int = 0
    delivered_at: int | None = bigint_column(nullable=True)
    #: the status of the last answer; null: there was none
    last_status: int | None = None


class AuditEntry(SQLModel, table=True):
    """Something that was done to a key, a file or a batch of the API; written with what it tells of."""

    __tablename__ = "audit_entry"
    __table_args__ = (Index("ix_audit_entry_owner", "owner", "number"),)

    number: int | None = Field(default=None, sa_column=autoincrement_key())
    at: int = counter_column()
    #: the key that did it, or `operator`
    actor: str
    #: the key that the subject belongs to
    owner: str
    #: key.create, key.rotate, key.revoke, key.operator, webhook.set, webhook.remove, file.create,
    #: file.delete, batch.create, batch.cancel, batch.pause, batch.resume, batch.retry, batch.budget,
    #: router.promote, router.roll_back
    action: str
    subject: str
    detail: dict[str, Any] | None = json_column()


class EndedRequest(SQLModel, table=True):
    """A line of an API's batch that has ended: the order of these is that of its files, which only grow."""

    __tablename__ = "ended_request"
    __table_args__ = (Index("ix_ended_request_id", "request_id"),)

    batch_no: int = Field(primary_key=True)
    #: from 1, without gaps, in the order in which transactions were committed
    number: int = Field(primary_key=True)
    request_id: int = bigint_column(nullable=False)


class OutputMark(SQLModel, table=True):
    """A place in a file of a batch: how many bytes the lines up to a number have."""

    __tablename__ = "output_mark"

    file_id: str = Field(primary_key=True)
    number: int = Field(primary_key=True)
    offset: int = bigint_column(nullable=False)


api_key, api_file = table_of("api_key"), table_of("api_file")
api_upload, api_upload_part = table_of("api_upload"), table_of("api_upload_part")
audit_entry = table_of("audit_entry")
webhook_target, webhook_event = table_of("webhook_target"), table_of("webhook_event")
api_batch, ended_request, output_mark = (
    table_of("api_batch"),
    table_of("ended_request"),
    table_of("output_mark"),
)
