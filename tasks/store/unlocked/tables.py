"""The tables of purses and deltas."""

from __future__ import annotations

from sqlalchemy import UniqueConstraint
from sqlmodel import Field, SQLModel

from tasks.store.columns import autoincrement_key, bigint_column, counter_column, json_column, table_of


class BatchDelta(SQLModel, table=True):
    """What one statement adds to a batch's counters; it is deleted when the batch's row holds it."""

    __tablename__ = "batch_delta"

    id: int | None = Field(default=None, sa_column=autoincrement_key())
    batch_no: int = Field(index=True)
    spent: int = counter_column()
    reserved: int = counter_column()
    calls: int = counter_column()
    succeeded: int = counter_column()
    failed: int = counter_column()
    cancelled: int = counter_column()
    invalid_answers: int = counter_column()
    repaired: int = counter_column()
    asked_again: int = counter_column()
    #: the ids of the requests that ended: their duplicates end with them when the delta is folded
    ended: list[int] | None = json_column()


class PurseRow(SQLModel, table=True):
    """Money of a batch for the next calls of one process; the batch's row counts it as reserved."""

    __tablename__ = "purse"
    __table_args__ = (UniqueConstraint("batch_no", "owner"),)

    id: int | None = Field(default=None, sa_column=autoincrement_key())
    batch_no: int
    #: the batch whose budget also pays, and counts it as reserved as well
    payer_no: int | None = Field(default=None, index=True)
    #: the process
    owner: str
    #: what is left, in micro-dollars; null: no budget bounds it
    amount: int | None = bigint_column(nullable=True)


batch_delta, purse = table_of("batch_delta"), table_of("purse")
#: the counters of a batch that a delta may add to
COUNTERS = (
    "spent", "reserved", "calls", "succeeded", "failed", "cancelled",
    "invalid_answers", "repaired", "asked_again",
)  # fmt: skip
