"""The deletion of a batch's prompts and answers; its ledger, counters and decisions stay.

A batch is marked first: from then on nothing reads its texts. They are deleted page by page, each in a short
transaction, by whoever marked it or, after a crash, by the upkeep worker. With a batch go its copies: the
batches of its exploration and of collections from it, the texts of the judges that compared its answers, and
the uploaded file that a batch of the API was made of.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    CompoundSelect,
    Connection,
    RowMapping,
    cast,
    null,
    or_,
    select,
    update,
)

from tasks.errors import UsageError
from tasks.store import batches
from tasks.store.api import files
from tasks.store.bulk import batched_ids
from tasks.store.engine import Store, now_ms
from tasks.store.ids import LINE_BITS, ids_of
from tasks.store.learning.tables import human_prompt, judged_prompt, sampled_answer, sampled_prompt, verdict
from tasks.store.tables import attempt, batch, input_error, outcome, request

#: the most requests per transaction, and how many the first one has
PAGE, FIRST_PAGE = 1_000, 16
#: how long a transaction should hold SQLite's lock: a thousand requests with images are gigabytes
PAGE_S = 0.05
PAUSE_S = 0.01
#: what stands in place of a prompt
_DELETED = ""


def has_prompt() -> ColumnElement[bool]:
    """Return the condition that a request's prompt was not deleted, and is not about to be."""
    marked = select(batch.c.no).where(batch.c.data_deleted_at.is_not(None))
    return (request.c.body != _DELETED) & request.c.batch_no.not_in(marked)


def refuse_without_data(row: RowMapping) -> None:
    """Raise UsageError for a batch whose prompts and answers were deleted or archived, with the date."""
    if row["archived_at"] is not None and row["data_deleted_at"] is None:
        raise UsageError(
            f"{row['id']} was archived on {date_of(row['archived_at'])}; `waybill archive --restore FOLDER` "
            "brings it back"
        )
    if row["data_deleted_at"] is not None:
        raise UsageError(
            f"the prompts and answers of {row['id']} were deleted on {date_of(row['data_deleted_at'])}; "
            "`waybill status` still shows its counts and costs"
        )


def date_of(ms: int) -> str:
    """Return the date, in UTC, of a time in milliseconds since 1970."""
    return datetime.fromtimestamp(ms / 1000, UTC).date().isoformat()


def mark(connection: Connection, batch_id: str) -> list[int]:
    """Mark a batch and its copies as deleted; returns their numbers.

    Raises:
        UsageError: It, or one of its copies, still runs, or judges are comparing its answers.
    """
    rows = _with_copies(connection, batches.find(connection, batch_id))
    for row in rows:
        if row["status"] not in batches.FINISHED:
            raise UsageError(f"{row['id']} is {row['status']}: wait for it or cancel it first")
    numbers = sorted(int(row["no"]) for row in rows)
    _refuse_judged(connection, numbers)
    mine = batch.c.no.in_(numbers) & batch.c.data_deleted_at.is_(None)
    connection.execute(update(batch).where(mine).values(data_deleted_at=now_ms()))
    files.delete_inputs(connection, numbers)
    return numbers


def expired(connection: Connection, days: float) -> list[str]:
    """Return the ids of batches that finished more than `days` ago and still have their data."""
    query = (
        select(batch.c.id)
        .where(batch.c.status.in_(batches.FINISHED), batch.c.data_deleted_at.is_(None))
        .where(batch.c.finished_at < now_ms() - int(days * 86_400_000))
        .order_by(batch.c.no)
    )
    return list(connection.execute(query).scalars())


def unfinished(connection: Connection) -> list[int]:
    """Return the numbers of marked batches that still hold texts."""
    last_id = (cast(batch.c.no, BigInteger) + 1) * (1 << LINE_BITS) - 1
    query = select(batch.c.no).where(
        batch.c.data_deleted_at.is_not(None), batch.c.data_cleared_to.is_distinct_from(last_id)
    )
    return list(connection.execute(query.order_by(batch.c.no)).scalars())


def clear(store: Store, batch_no: int, *, stop: Callable[[], bool] = lambda: False) -> None:
    """Delete the texts of a marked batch, page by page; it may be interrupted and repeated."""
    _clear_learning(store, batch_no)
    size: int | None = min(FIRST_PAGE, PAGE)
    while size is not None and not stop():
        size = _clear_page(store, batch_no, size)
    store.empty_log()


def _with_copies(connection: Connection, row: RowMapping) -> list[RowMapping]:
    """Return a batch with those that copied its prompts, locked: a payer after those that it pays for."""
    is_copy = or_(
        batch.c.payer_no == row["no"], (batch.c.source == row["id"]) & (batch.c.purpose == "collect")
    )
    numbers = list(connection.execute(select(batch.c.no).where(is_copy).order_by(batch.c.no)).scalars())
    return [batches.lock(connection, number) for number in [*numbers, row["no"]]]


def _refuse_judged(connection: Connection, numbers: Sequence[int]) -> None:
    query = (
        select(batch.c.id)
        .join(judged_prompt, judged_prompt.c.batch_no == batch.c.no)
        .where(judged_prompt.c.state == "open", batch.c.status.in_(batches.UNFINISHED))
        .where(judged_prompt.c.prompt_id.in_(_sampled(numbers)))
    )
    judging = connection.execute(query.limit(1)).scalar_one_or_none()
    if judging is not None:
        raise UsageError(f"{judging} compares its answers: wait for it or cancel it first")


def _sampled(numbers: Sequence[int]) -> CompoundSelect[tuple[int]]:
    """Return the sampled prompts that are prompts of these batches, or that these have answered."""
    own = select(sampled_prompt.c.id).where(sampled_prompt.c.batch_no.in_(numbers))
    answered = (
        select(sampled_answer.c.prompt_id).where(sampled_answer.c.request_id.between(*ids_of(number)))
        for number in numbers
    )
    return own.union(*answered)


def _clear_learning(store: Store, batch_no: int) -> None:
    """Delete what judges and people have of a batch's texts, and its bad lines."""
    with store.read() as connection:
        judged = select(verdict.c.request_id).where(
            verdict.c.prompt_id.in_(_sampled([batch_no])), verdict.c.request_id.is_not(None)
        )
        judge_requests = list(connection.execute(judged).scalars())
    for part in batched_ids(judge_requests, FIRST_PAGE):
        with _overwriting(store) as connection:
            _clear_texts(connection, _among(part))
        time.sleep(PAUSE_S)
    with _overwriting(store) as connection:
        hashes = select(sampled_prompt.c.prompt_hash).where(sampled_prompt.c.id.in_(_sampled([batch_no])))
        people = human_prompt.c.prompt_hash.in_(hashes)
        connection.execute(update(human_prompt).where(people).values(prompt=_DELETED))
        bad_lines = input_error.c.batch_no == batch_no
        connection.execute(update(input_error).where(bad_lines).values(reason=_DELETED))


def _clear_page(store: Store, batch_no: int, size: int) -> int | None:
    """Delete the texts of the next requests, at most `size`; returns the size of the next page, if any."""
    first, last = ids_of(batch_no)
    with _overwriting(store) as connection:
        began = time.monotonic()
        row = batches.lock(connection, batch_no)
        after = first if row["data_cleared_to"] is None else row["data_cleared_to"]
        page = select(request.c.id).where(request.c.id > after, request.c.id <= last)
        ids = list(connection.execute(page.order_by(request.c.id).limit(size)).scalars())
        to = ids[-1] if len(ids) == size else last
        _clear_texts(connection, _between(after + 1, to))
        connection.execute(update(batch).where(batch.c.no == batch_no).values(data_cleared_to=to))
    took_s = time.monotonic() - began
    if to == last:
        return None
    time.sleep(took_s)  # as long as it held SQLite's lock, others get it
    return next_page(size, took_s)


def next_page(size: int, took_s: float) -> int:
    """Return the number of requests of the page after one of this size that took so long."""
    if took_s > PAGE_S:
        return max(1, size // 2)
    return min(2 * size, PAGE) if took_s < PAGE_S / 2 else size


#: makes a condition on the column of a request's id
_Condition = Callable[[ColumnElement[int]], ColumnElement[bool]]


def _among(ids: Sequence[int]) -> _Condition:
    return lambda column: column.in_(ids)


def _between(low: int, high: int) -> _Condition:
    return lambda column: column.between(low, high)


def _clear_texts(connection: Connection, mine: _Condition) -> None:
    """Delete the texts of requests, and of their calls and outcomes."""
    texts = {"body": _DELETED, "body_hash": b""}
    connection.execute(update(request).where(mine(request.c.id)).values(**texts))
    ended = {"body": None, "error_message": None, "notes": null()}
    connection.execute(update(outcome).where(mine(outcome.c.request_id)).values(**ended))
    answered = mine(attempt.c.request_id) & attempt.c.answer.is_not(None)
    connection.execute(update(attempt).where(answered).values(answer=None))


@contextmanager
def _overwriting(store: Store) -> Iterator[Connection]:
    """Open a write transaction in which SQLite overwrites what is deleted, and not only frees its pages."""
    with store.write() as connection:
        if not store.is_sqlite:
            yield connection
            return
        before = connection.exec_driver_sql("PRAGMA secure_delete").scalar_one()
        connection.exec_driver_sql("PRAGMA secure_delete = ON")
        try:
            yield connection
        finally:
            connection.exec_driver_sql(f"PRAGMA secure_delete = {before}")
