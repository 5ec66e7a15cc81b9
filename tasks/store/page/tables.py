"""The tables of the page."""

from __future__ import annotations

from typing import Any

from sqlmodel import Field, SQLModel

from tasks.store.columns import bigint_column, counter_column, json_column, table_of


class PageSessionRow(SQLModel, table=True):
    """A browser that is logged in: its cookie is stored as a hash, and holds no key."""

    __tablename__ = "page_session"

    #: SHA-256 of the cookie, in hex
    token_hash: str = Field(primary_key=True)
    key_id: str = Field(index=True)
    #: the hash of the key's secret at the login: the session ends when the key no longer has that secret
    secret_hash: str
    created_at: int = counter_column()
    expires_at: int = counter_column()


class BatchFiguresRow(SQLModel, table=True):
    """The figures of a batch that its counters do not tell: its course, and its parts by model."""

    __tablename__ = "batch_figures"

    batch_no: int = Field(primary_key=True)
    #: when its counters were last looked at, and what they were: [done, failed, spent]
    sampled_at: int = counter_column()
    #: requests per second lately
    rate: float = Field(default=0.0, sa_column_kwargs={"server_default": "0"})
    #: its course, as `tasks.store.page.course.Course` writes it
    course: dict[str, Any] | None = json_column()
    #: when its requests were last counted by model, category and code, and how long that took
    counted_at: int = counter_column()
    count_ms: int = counter_column()
    #: how many requests had ended then
    counted_done: int | None = bigint_column(nullable=True)
    #: what was counted, as `tasks.store.page.parts.Parts` writes it
    parts: dict[str, Any] | None = json_column()
    #: micro-dollars that routing had saved then against the best single model; null where that is not known
    saved: int | None = bigint_column(nullable=True)


page_session, batch_figures = table_of("page_session"), table_of("batch_figures")
