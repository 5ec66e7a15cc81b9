"""The tables of the store of record; times are ms since 1970 by its clock, money is in micro-dollars."""

from __future__ import annotations

from typing import Any

from sqlalchemy import JSON, Column, Index, LargeBinary, UniqueConstraint
from sqlmodel import Field, SQLModel

from tasks.store.columns import (
    autoincrement_key,
    bigint_column,
    counter_column,
    json_column,
    partial_index,
    table_of,
    text_column,
)


class BatchRow(SQLModel, table=True):
    """A batch: its options, its budget and its counters."""

    __tablename__ = "batch"

    no: int | None = Field(default=None, primary_key=True)
    id: str = Field(unique=True)
    source: str
    #: answer (submitted by a user), or of the learning loop: collect, judge
    purpose: str = Field(default="answer", sa_column_kwargs={"server_default": "answer"})
    #: the batch whose budget also pays for this batch's calls
    payer_no: int | None = None
    #: whose batch it is: the key of the API that submitted it; null: the command's and the Python API's
    owner: str | None = None
    #: ingesting, in_progress, cancelling, completed, cancelled
    status: str = Field(index=True)
    #: low, normal or high: its share beside other batches
    priority: str = Field(default="normal", sa_column_kwargs={"server_default": "normal"})
    #: since when nothing of it is begun; null: it is not paused
    paused_at: int | None = bigint_column(nullable=True)
    options: dict[str, Any] = Field(default_factory=dict, sa_column=Column(JSON, nullable=False))
    budget: int | None = bigint_column(nullable=True)
    spent: int = counter_column()
    reserved: int = counter_column()
    lines_read: int = counter_column()
    total: int = counter_column()
    invalid: int = counter_column()
    duplicates: int = counter_column()
    #: duplicates that share an answer that was drawn at random (temperature above 0, no seed)
    random_duplicates: int = counter_column()
    #: requests that were answered from earlier batches, and what their calls had cost
    reused: int = counter_column()
    saved: int = counter_column()
    embedded: int = counter_column()
    cache_hits: int = counter_column()
    routed: int = counter_column()
    fallbacks: int = counter_column()
    succeeded: int = counter_column()
    failed: int = counter_column()
    cancelled: int = counter_column()
    calls: int = counter_column()
    budget_stops: int = counter_column()
    #: answers that do not fit what their requests demand, those that were repaired, and calls for better ones
    invalid_answers: int = counter_column()
    repaired: int = counter_column()
    asked_again: int = counter_column()
    created_at: int = counter_column()
    finished_at: int | None = bigint_column(nullable=True)
    #: when its prompts and answers were deleted; the ledger stays
    data_deleted_at: int | None = bigint_column(nullable=True)
    #: the last request whose texts are deleted so far
    data_cleared_to: int | None = bigint_column(nullable=True)
    #: when its requests moved to an archive; the counters and the money stay
    archived_at: int | None = bigint_column(nullable=True)
    #: the hash of that archive
    archive_hash: str | None = None


class Request(SQLModel, table=True):
    """A request: one prompt with its parameters; `id` is `batch_no << 32 | line`."""

    __table_args__ = (
        UniqueConstraint("batch_no", "custom_id"),
        partial_index("ix_request_body", "batch_no", "body_hash", where="duplicate_of IS NULL"),
        partial_index(
            "ix_request_answered", "body_hash", "model", where="state = 'succeeded' AND duplicate_of IS NULL"
        ),
        partial_index("ix_request_chunk", "chunk_id", where="chunk_id IS NOT NULL"),
        partial_index("ix_request_due", "next_attempt_at", where="state = 'ready'"),
        partial_index("ix_request_followers", "duplicate_of", where="duplicate_of IS NOT NULL"),
    )

    id: int = bigint_column(primary_key=True, autoincrement=False)
    batch_no: int
    line: int
    custom_id: str
    body: str = text_column()
    body_hash: bytes = Field(sa_column=Column(LargeBinary(16), nullable=False))
    max_tokens: int | None = None
    messages: int = 1
    #: the path of the API that it is sent to; null for chat completions
    endpoint: str | None = None
    #: ready (waits for a chunk), held (in a chunk), following (a duplicate that waits for its original),
    #: succeeded, failed, cancelled
    state: str
    #: embed, route or dispatch: the stage that a ready request goes to next
    stage: str
    model: str | None = None
    duplicate_of: int | None = bigint_column(nullable=True)
    chunk_id: int | None = bigint_column(nullable=True)
    next_attempt_at: int = counter_column()
    #: the worst case of the call for which it waits for money, in micro-dollars: see `tasks.store.waiting`
    waits_for: int | None = bigint_column(nullable=True)
    attempts: int = 0
    model_attempts: int = 0
    #: attempts made before `retry` reopened it; they no longer count
    attempts_before: int = 0
    #: how often a worker died while it held the request
    losses: int = 0
    #: the models that cannot answer it, with the reasons (a JSON object); null: all can
    left_out: str | None = text_column(nullable=True)


class Chunk(SQLModel, table=True):
    """A unit of work: requests, or prompts to judge, that one worker holds together at one stage."""

    __table_args__ = (
        Index("ix_chunk_lease", "state", "lease_until"),
        Index("ix_chunk_queue", "queue", "state"),
        Index("ix_chunk_turn", "queue", "state", "batch_no", "id"),
    )

    id: int | None = Field(default=None, sa_column=autoincrement_key())
    batch_no: int = Field(index=True)
    #: embed, route, judge or dispatch
    stage: str
    queue: str
    #: queued, claimed, done
    state: str
    size: int
    #: a fencing token: each claim and each loss of the chunk raises it, so that old messages and writes fail
    epoch: int = 0
    #: the epoch under which the vectors were written to Redis
    vector_epoch: int = 0
    lease_until: int = counter_column()
    published_at: int = counter_column()
    #: since when it waits at this stage; 0: not known
    opened_at: int = counter_column()
    owner: str | None = None
    #: the span that made it, in the form of W3C's Trace Context; null without tracing
    trace: str | None = None


class Outbox(SQLModel, table=True):
    """A message to be published; it is committed together with the chunk that it announces."""

    id: int | None = Field(default=None, sa_column=autoincrement_key())
    chunk_id: int = bigint_column(nullable=False)
    epoch: int
    #: embed, route, judge or dispatch
    stage: str
    queue: str
    available_at: int = counter_column()


class Decision(SQLModel, table=True):
    """The router's decision for a request, and its reason."""

    __table_args__ = (partial_index("ix_decision_arm", "arm", "request_id", where="arm IS NOT NULL"),)

    request_id: int = bigint_column(primary_key=True, autoincrement=False)
    batch_no: int = Field(index=True)
    model: str
    category: str | None = None
    predicted: str = text_column()
    ranking: str = text_column()
    gap: float | None = None
    used_fallback: bool = False
    reason: str
    router_version: str | None = None
    #: the probability with which this model was chosen, for off-policy estimates; null without exploration
    propensity: float | None = None
    #: canary or champion, while a canary runs
    arm: str | None = None


class Attempt(SQLModel, table=True):
    """One paid call in the ledger: recorded as `sent` before it is made, and settled after it."""

    __table_args__ = (
        partial_index("ix_attempt_sent", "request_id", where="state = 'sent'"),
        Index("ix_attempt_batch", "batch_no", "model"),
    )

    request_id: int = bigint_column(primary_key=True, autoincrement=False)
    number: int = Field(primary_key=True)
    batch_no: int
    model: str
    #: sent, succeeded, failed, unknown (its worker died: the reserved amount is charged in full)
    state: str
    reserved: int = counter_column()
    cost: int = counter_column()
    status_code: int | None = None
    error_code: str | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    #: the counts of the call by kind, as `router_core.pricing.Usage` names them, without those that are 0
    usage: dict[str, Any] | None = json_column()
    latency_ms: int | None = None
    sent_at: int = counter_column()
    #: an answer that did not fit what its request demands: it was paid for, and is kept
    answer: str | None = text_column(nullable=True)


class Outcome(SQLModel, table=True):
    """The final result of a request; there is exactly one."""

    __table_args__ = (Index("ix_outcome_batch", "batch_no", "status", "model"),)

    request_id: int = bigint_column(primary_key=True, autoincrement=False)
    batch_no: int
    #: succeeded, failed, cancelled
    status: str
    model: str | None = None
    #: the chat completion; a duplicate has none and shares that of its original
    body: str | None = text_column(nullable=True)
    status_code: int | None = None
    error_code: str | None = None
    error_message: str | None = None
    cost: int = counter_column()
    latency_ms: int | None = None
    attempts: int = 0
    duplicate_of: int | None = bigint_column(nullable=True)
    #: remarks for `waybill` in the results (mended, dropped …); a duplicate shares those of its original
    notes: dict[str, Any] | None = json_column()


class InputErrorRow(SQLModel, table=True):
    """An invalid line of the input, with the reason."""

    __tablename__ = "input_error"

    batch_no: int = Field(primary_key=True)
    line: int = bigint_column(primary_key=True, autoincrement=False)
    code: str
    reason: str
    custom_id: str | None = None


class PausedModelRow(SQLModel, table=True):
    """A model that is paused for all workers, and the reason."""

    __tablename__ = "lane"

    model: str = Field(primary_key=True)
    paused_until: int = counter_column()
    reason: str


class UpkeepMark(SQLModel, table=True):
    """When upkeep noted something last, by its name: that Redis does not answer at an address."""

    __tablename__ = "upkeep_mark"

    name: str = Field(primary_key=True)
    written_at: int = counter_column()


# Queries use SQLAlchemy Core on these tables, never ORM objects, for speed.
batch, request, chunk, outbox = table_of("batch"), table_of("request"), table_of("chunk"), table_of("outbox")
decision, attempt, outcome = table_of("decision"), table_of("attempt"), table_of("outcome")
input_error, paused_model = table_of("input_error"), table_of("lane")
upkeep_mark = table_of("upkeep_mark")
