"""The tables of the store of record.

Times are milliseconds by the database's clock; money is integer micro-dollars.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlmodel import Field, SQLModel


def big(**options: Any) -> Any:
    """Return a column for ids and amounts."""
    return Field(sa_column=Column(BigInteger, **options))


def number_column() -> Column[int]:
    """Return a primary key that numbers itself."""
    # SQLite only auto-numbers a column declared INTEGER.
    return Column(BigInteger().with_variant(Integer(), "sqlite"), primary_key=True)


def counter() -> Any:
    """Return a column for amounts that begin at 0."""
    return Field(default=0, sa_column=Column(BigInteger, nullable=False, server_default="0"))


class Batch(SQLModel, table=True):
    """A submitted file: its options, its money and its running counts."""

    no: int | None = Field(default=None, primary_key=True)
    id: str = Field(unique=True)
    source: str
    #: answer, or what the learning loop pays for: collect, judge
    purpose: str = Field(default="answer", sa_column_kwargs={"server_default": "answer"})
    #: the batch whose budget pays for this one's calls as well
    payer_no: int | None = None
    #: ingesting, in_progress, cancelling, completed, cancelled
    status: str = Field(index=True)
    options: dict[str, Any] = Field(default_factory=dict, sa_column=Column(JSON, nullable=False))
    budget: int | None = big(nullable=True)
    spent: int = counter()
    reserved: int = counter()
    lines_read: int = counter()
    total: int = counter()
    invalid: int = counter()
    duplicates: int = counter()
    embedded: int = counter()
    cache_hits: int = counter()
    routed: int = counter()
    fallbacks: int = counter()
    succeeded: int = counter()
    failed: int = counter()
    cancelled: int = counter()
    calls: int = counter()
    budget_stops: int = counter()
    created_at: int = counter()
    finished_at: int | None = big(nullable=True)


class Request(SQLModel, table=True):
    """One prompt with its parameters; `id` is `batch_no << 32 | line`."""

    __table_args__ = (
        UniqueConstraint("batch_no", "custom_id"),
        Index(
            "ix_request_body",
            "batch_no",
            "body_hash",
            sqlite_where=text("duplicate_of IS NULL"),
            postgresql_where=text("duplicate_of IS NULL"),
        ),
        Index(
            "ix_request_chunk",
            "chunk_id",
            sqlite_where=text("chunk_id IS NOT NULL"),
            postgresql_where=text("chunk_id IS NOT NULL"),
        ),
        Index(
            "ix_request_due",
            "next_attempt_at",
            sqlite_where=text("state = 'ready'"),
            postgresql_where=text("state = 'ready'"),
        ),
        Index(
            "ix_request_followers",
            "duplicate_of",
            sqlite_where=text("duplicate_of IS NOT NULL"),
            postgresql_where=text("duplicate_of IS NOT NULL"),
        ),
    )

    id: int = big(primary_key=True, autoincrement=False)
    batch_no: int
    line: int
    custom_id: str
    body: str = Field(sa_column=Column(Text, nullable=False))
    body_hash: bytes = Field(sa_column=Column(LargeBinary(16), nullable=False))
    max_tokens: int | None = None
    messages: int = 1
    #: ready (waits for a chunk), held (in a chunk), following (a duplicate), succeeded, failed, cancelled
    state: str
    #: embed or dispatch: where a ready request goes next
    stage: str
    model: str | None = None
    duplicate_of: int | None = big(nullable=True)
    chunk_id: int | None = big(nullable=True)
    next_attempt_at: int = counter()
    attempts: int = 0
    model_attempts: int = 0
    #: attempts made before `retry` reopened it: they count no more
    attempts_before: int = 0
    #: how often a worker died holding it
    losses: int = 0


class Chunk(SQLModel, table=True):
    """A unit of work: requests that one worker holds together, at one stage."""

    __table_args__ = (
        Index("ix_chunk_lease", "state", "lease_until"),
        Index("ix_chunk_queue", "queue", "state"),
    )

    id: int | None = Field(default=None, sa_column=number_column())
    batch_no: int = Field(index=True)
    #: embed, route or dispatch
    stage: str
    queue: str
    #: queued, claimed, done
    state: str
    size: int
    epoch: int = 0
    #: the epoch under which the vectors were written to Redis
    vector_epoch: int = 0
    lease_until: int = counter()
    published_at: int = counter()
    owner: str | None = None


class Outbox(SQLModel, table=True):
    """A message that must be published: committed together with the chunk it announces."""

    id: int | None = Field(default=None, sa_column=number_column())
    chunk_id: int = big(nullable=False)
    epoch: int
    stage: str
    queue: str
    available_at: int = counter()


class Decision(SQLModel, table=True):
    """What the router decided for a request, and why."""

    __table_args__ = (
        Index(
            "ix_decision_arm",
            "arm",
            "request_id",
            sqlite_where=text("arm IS NOT NULL"),
            postgresql_where=text("arm IS NOT NULL"),
        ),
    )

    request_id: int = big(primary_key=True, autoincrement=False)
    batch_no: int = Field(index=True)
    model: str
    category: str | None = None
    predicted: str = Field(sa_column=Column(Text, nullable=False))
    ranking: str = Field(sa_column=Column(Text, nullable=False))
    gap: float | None = None
    used_fallback: bool = False
    reason: str
    router_version: str | None = None
    #: the chance that this model was chosen, for off-policy estimates; null where nothing was drawn
    propensity: float | None = None
    #: canary or champion, while a canary is compared with it
    arm: str | None = None


class Attempt(SQLModel, table=True):
    """One paid call on the ledger: recorded as `sent` before it is made, settled after it."""

    __table_args__ = (
        Index(
            "ix_attempt_sent",
            "request_id",
            sqlite_where=text("state = 'sent'"),
            postgresql_where=text("state = 'sent'"),
        ),
        Index("ix_attempt_batch", "batch_no", "model"),
    )

    request_id: int = big(primary_key=True, autoincrement=False)
    number: int = Field(primary_key=True)
    batch_no: int
    model: str
    #: sent, succeeded, failed, unknown (its worker died: charged in full)
    state: str
    reserved: int = counter()
    cost: int = counter()
    status_code: int | None = None
    error_code: str | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    latency_ms: int | None = None
    sent_at: int = counter()


class Outcome(SQLModel, table=True):
    """The one final result of a request."""

    __table_args__ = (Index("ix_outcome_batch", "batch_no", "status", "model"),)

    request_id: int = big(primary_key=True, autoincrement=False)
    batch_no: int
    #: succeeded, failed, cancelled
    status: str
    model: str | None = None
    #: the chat completion; a duplicate has none and shares its original's
    body: str | None = Field(default=None, sa_column=Column(Text))
    status_code: int | None = None
    error_code: str | None = None
    error_message: str | None = None
    cost: int = counter()
    latency_ms: int | None = None
    attempts: int = 0
    duplicate_of: int | None = big(nullable=True)


class InputErrorRow(SQLModel, table=True):
    """A line that could not be read, with its reason."""

    __tablename__ = "input_error"

    batch_no: int = Field(primary_key=True)
    line: int = big(primary_key=True, autoincrement=False)
    code: str
    reason: str
    custom_id: str | None = None


class Lane(SQLModel, table=True):
    """A model that is paused for everybody, and why."""

    model: str = Field(primary_key=True)
    paused_until: int = counter()
    reason: str


def table_of(name: str) -> Table:
    """Return the table of this name, for Core."""
    return SQLModel.metadata.tables[name]


# The hot paths speak Core: bulk statements over these tables, never ORM objects.
batch, request, chunk, outbox = table_of("batch"), table_of("request"), table_of("chunk"), table_of("outbox")
decision, attempt, outcome = table_of("decision"), table_of("attempt"), table_of("outcome")
input_error, lane = table_of("input_error"), table_of("lane")
