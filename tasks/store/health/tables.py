"""The tables of workers that are alive and of the errors of calls; both are short."""

from __future__ import annotations

from typing import Any

from sqlalchemy import JSON, BigInteger, Column, false
from sqlmodel import Field, SQLModel

from tasks.store.columns import counter_column, table_of


class WorkerRow(SQLModel, table=True):
    """A worker that has said that it is ready, and when it was last heard of."""

    __tablename__ = "worker"

    #: role@host-pid, as Celery calls it
    name: str = Field(primary_key=True)
    role: str
    #: what it takes work from; upkeep has none
    queues: Any = Field(sa_column=Column(JSON, nullable=False))
    started_at: int = counter_column()
    seen_at: int = counter_column()
    #: what it and its processes use: resident memory, and processors since the last beat
    memory_bytes: int | None = Field(default=None, sa_column=Column(BigInteger, nullable=True))
    cpu: float | None = None
    #: whether its Redis user may not do what its role needs
    is_refused: bool = Field(default=False, sa_column_kwargs={"server_default": false()})


class ModelErrorRow(SQLModel, table=True):
    """How often calls of a batch to a model failed with one error code, and when."""

    __tablename__ = "model_error"

    batch_no: int = Field(primary_key=True)
    model: str = Field(primary_key=True)
    code: str = Field(primary_key=True)
    calls: int = counter_column()
    first_at: int = counter_column()
    last_at: int = counter_column()
    #: the last error in Waybill's own words: its code, with the HTTP status and the provider's code
    detail: str


worker, model_error = table_of("worker"), table_of("model_error")
