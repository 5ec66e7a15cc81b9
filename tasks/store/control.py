"""Cancelling a batch, and sending again what failed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, Exists, delete, func, select, update

from tasks.errors import UsageError
from tasks.store import batches, bulk, chunks, ledger
from tasks.store.api import ended
from tasks.store.deletion import refuse_without_data
from tasks.store.engine import now_ms
from tasks.store.health.exhausted import enough_budget, exhausted_text, spent_text
from tasks.store.ids import SENT
from tasks.store.learning import judge_runs
from tasks.store.tables import attempt, batch, chunk, outcome, request
from tasks.store.unlocked import deltas
from tasks.store.values import CANCELLED, RequestResult, Settlement


def cancel(connection: Connection, batch_id: str, *, result: RequestResult = CANCELLED) -> int:
    """Stop a batch: nothing new is called, calls in flight end. Returns how many requests were cancelled.

    `result` is what requests end with that are not in flight.
    """
    batch_no = batches.find(connection, batch_id)["no"]
    numbers = [*batches.paid_by(connection, batch_no), batch_no]  # the payer last: see `batches.charge`
    for number in numbers:
        batches.lock(connection, number)
    chunks.lock(connection, chunk.c.batch_no.in_(numbers) & (chunk.c.state != "done"))
    return [_cancel(connection, number, result) for number in numbers][-1]


def _cancel(connection: Connection, batch_no: int, result: RequestResult) -> int:
    """Cancel one batch, which the caller has locked with its chunks."""
    if deltas.exact(connection, batch_no)["status"] in batches.FINISHED:
        return 0
    # A pause ends with it: what is left of a paused batch would never be ended.
    cancelling = update(batch).where(batch.c.no == batch_no)
    connection.execute(cancelling.values(status="cancelling", paused_at=None))
    query = select(request.c.id).where(
        request.c.batch_no == batch_no, request.c.state.in_(("ready", "held")), ~_in_flight()
    )
    ids = [row.id for row in connection.execute(query)]
    for part in bulk.batched_ids(ids):
        cancelled = [Settlement(batch_no=batch_no, request_id=one, next=result) for one in part]
        ledger.apply_results(connection, batch_no, cancelled)
    _drop_chunks(connection, batch_no)
    batches.finish_if_done(connection, batch_no)
    return len(ids)


def retry(connection: Connection, batch_id: str, *, budget: int | None) -> int:
    """Send the failed and cancelled requests of a finished batch again, under a new cap if one is named.

    Raises:
        UsageError: The batch still runs, its prompts were deleted, a model of it has no price that a budget
            could count, its budget is used up and no larger one is given, or the one given is spent already.
    """
    batch_no = batches.find(connection, batch_id)["no"]
    row = deltas.exact(connection, batch_no)
    if row["status"] not in batches.FINISHED:
        raise UsageError(f"{batch_id} is {row['status']}: wait for it or cancel it before retrying")
    refuse_without_data(row)
    if row["purpose"] == judge_runs.JUDGE:
        raise UsageError(f"{batch_id} is a run of judges: `waybill judge` goes on where it stopped")
    if row["budget_stops"] and _is_no_more(budget, dict(row)):
        enough = enough_budget(connection, dict(row))
        raise UsageError(f"{batch_id}: {exhausted_text(dict(row), enough)}")
    batches.check_budget(batches.options_of(connection, batch_no), budget)
    if budget is not None and budget < row["spent"]:
        enough = enough_budget(connection, dict(row))
        raise UsageError(f"{batch_id}: {spent_text(dict(row), enough)}")
    counts = _reopen(connection, batch_no)
    if budget is not None:
        connection.execute(update(batch).where(batch.c.no == batch_no).values(budget=budget))
    batches.count(connection, batch_no, **{status: -number for status, number in counts.items()})
    reopened = update(batch).where(batch.c.no == batch_no)
    connection.execute(
        reopened.values(status="in_progress", paused_at=None, budget_stops=0, finished_at=None)
    )
    batches.finish_if_done(connection, batch_no)
    return sum(counts.values())


def _is_no_more(budget: int | None, row: Mapping[str, Any]) -> bool:
    """Return whether a retry's cap is no larger than the one that was used up: nothing more would fit it."""
    return row["budget"] is not None and (budget is None or budget <= row["budget"])


def _in_flight() -> Exists:
    return (
        select(attempt.c.number).where(attempt.c.request_id == request.c.id, attempt.c.state == SENT).exists()
    )


def _drop_chunks(connection: Connection, batch_no: int) -> None:
    """Close the batch's waiting chunks: their messages find nothing."""
    statement = update(chunk).where(chunk.c.batch_no == batch_no, chunk.c.state == "queued")
    connection.execute(statement.values(state="done", epoch=chunk.c.epoch + 1))


def _reopen(connection: Connection, batch_no: int) -> dict[str, int]:
    unfinished = (outcome.c.batch_no == batch_no) & (outcome.c.status != "succeeded")
    query = select(outcome.c.status, func.count()).where(unfinished).group_by(outcome.c.status)
    counts: dict[str, int] = dict(connection.execute(query).all())
    ids = select(outcome.c.request_id).where(unfinished)
    ended.forget_unfinished(connection, batch_no)
    base = update(request).where(request.c.id.in_(ids))
    fresh = {
        "model_attempts": 0,
        "losses": 0,
        "next_attempt_at": now_ms(),
        "attempts_before": request.c.attempts,
    }
    connection.execute(base.where(request.c.duplicate_of.is_(None)).values(state="ready", **fresh))
    connection.execute(base.where(request.c.duplicate_of.is_not(None)).values(state="following", **fresh))
    connection.execute(delete(outcome).where(unfinished))
    return counts
