"""The errors of calls by batch, model and code: a few counters, so that no view reads the ledger."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, func, select
from sqlalchemy.dialects.postgresql import insert as insert_postgresql
from sqlalchemy.dialects.sqlite import insert as insert_sqlite

from tasks.providers.errors import ErrorKind
from tasks.store.bulk import batched_ids
from tasks.store.engine import now_ms
from tasks.store.health.tables import model_error


@dataclass(frozen=True, slots=True, order=True)
class FailedCalls:
    """Calls of a batch that failed alike: `detail` is the last error in Waybill's own words."""

    batch_no: int
    model: str
    code: str
    calls: int
    detail: str


@dataclass(frozen=True, slots=True)
class ModelError:
    """What calls to a model failed with: how often, since when and until when (ms since 1970).

    `seconds_ago` is the age of the last one by the database's clock. `detail` is the last error in Waybill's
    own words: the code, the HTTP status, the provider's code.
    """

    model: str
    code: str
    calls: int
    first_at: int
    last_at: int
    seconds_ago: float
    detail: str


def add(connection: Connection, failed: Iterable[FailedCalls]) -> None:
    """Add failed calls to the counters."""
    # In one order everywhere: two processes that add to the same rows must not wait for each other.
    rows = [
        {
            "batch_no": one.batch_no,
            "model": one.model,
            "code": one.code,
            "calls": one.calls,
            "detail": one.detail,
        }
        for one in sorted(failed)
    ]
    insert = insert_sqlite if connection.dialect.name == "sqlite" else insert_postgresql
    for row in rows:
        statement = insert(model_error).values(**row, first_at=now_ms(), last_at=now_ms())
        added = {
            "calls": model_error.c.calls + statement.excluded.calls,
            "last_at": statement.excluded.last_at,
            "detail": statement.excluded.detail,
        }
        key = ["batch_no", "model", "code"]
        connection.execute(statement.on_conflict_do_update(index_elements=key, set_=added))


def of_batch(connection: Connection, batch_no: int) -> tuple[ModelError, ...]:
    """Return what a batch's calls failed with: of each model the last code first."""
    now = connection.execute(select(now_ms())).scalar_one()
    query = select(model_error).where(model_error.c.batch_no == batch_no)
    rows = connection.execute(query.order_by(model_error.c.model, model_error.c.last_at.desc())).all()
    return tuple(_error(row, now) for row in rows)


def recent(connection: Connection, within_s: float) -> tuple[ModelError, ...]:
    """Return what calls of any batch failed with in these last seconds: of each model and code the last."""
    now = connection.execute(select(now_ms())).scalar_one()
    query = select(model_error).where(model_error.c.last_at > now - int(within_s * 1000))
    rows = connection.execute(query.order_by(model_error.c.last_at)).all()
    newest = {(row.model, row.code): _error(row, now) for row in rows}
    return tuple(newest[key] for key in sorted(newest))


def calls_not_made(connection: Connection, batch_nos: Sequence[int]) -> dict[int, int]:
    """Return how many calls of each batch were not made, as a worker lacked the model's key; no zeros."""
    found: dict[int, int] = {}
    for part in batched_ids(list(batch_nos)):
        mine = model_error.c.batch_no.in_(part) & (model_error.c.code == ErrorKind.MISSING_KEY.value)
        query = select(model_error.c.batch_no, func.sum(model_error.c.calls)).where(mine)
        rows = connection.execute(query.group_by(model_error.c.batch_no))
        found |= {number: int(calls) for number, calls in rows}
    return found


def _error(row: Row[Any], now: int) -> ModelError:
    age_s = max(0.0, (now - row.last_at) / 1000)
    return ModelError(row.model, row.code, row.calls, row.first_at, row.last_at, age_s, row.detail)
