"""The order in which the requests of an API's batch ended, in which its files are read while it runs."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, ScalarSelect, case, delete, func, select, update

from tasks.store.api.tables import api_batch, api_file, ended_request, output_mark, webhook_event
from tasks.store.bulk import insert_values
from tasks.store.engine import now_ms
from tasks.store.ids import ids_of, request_id
from tasks.store.tables import batch, input_error, outcome

_WEEK_MS = 7 * 86_400_000


def record(connection: Connection, batch_no: int, request_ids: Sequence[int]) -> None:
    """Append lines that have ended to the order of their batch, whose lock the caller holds.

    Other batches than those of the API have no order: nothing is written for them.
    """
    if not request_ids or not _is_of_api(connection, batch_no):
        return
    last = _last(connection, batch_no)
    rows = [(batch_no, number, one) for number, one in enumerate(request_ids, start=last + 1)]
    insert_values(connection, ended_request, ("batch_no", "number", "request_id"), rows)


def record_missing(connection: Connection, batch_no: int) -> None:
    """Append what workers of an earlier version have ended; the caller holds the batch's lock."""
    known = select(ended_request.c.request_id).where(ended_request.c.batch_no == batch_no)
    ended = (
        select(outcome.c.request_id)
        .where(outcome.c.request_id.between(*ids_of(batch_no)), outcome.c.request_id.not_in(known))
        .order_by(outcome.c.request_id)
    )
    first = request_id(batch_no, 0)
    bad = (
        select(input_error.c.line + first)
        .where(input_error.c.batch_no == batch_no, (input_error.c.line + first).not_in(known))
        .order_by(input_error.c.line)
    )
    record(connection, batch_no, [*connection.execute(ended).scalars(), *connection.execute(bad).scalars()])


def after(connection: Connection, batch_no: int, number: int, limit: int) -> dict[int, int]:
    """Return the next ended lines after this place of the order: request ids by number, in order."""
    query = (
        select(ended_request.c.number, ended_request.c.request_id)
        .where(ended_request.c.batch_no == batch_no, ended_request.c.number > number)
        .order_by(ended_request.c.number)
        .limit(limit)
    )
    return dict(connection.execute(query).all())


def number_of(connection: Connection, batch_no: int, one: int) -> int | None:
    """Return the place of a line in the order of its batch; None if it has not ended."""
    query = select(ended_request.c.number).where(
        ended_request.c.batch_no == batch_no, ended_request.c.request_id == one
    )
    return connection.execute(query.limit(1)).scalar_one_or_none()


def forget_unfinished(connection: Connection, batch_no: int) -> None:
    """Take out the lines of a batch that are sent again, before their outcomes go: its files begin anew."""
    if not _is_of_api(connection, batch_no):
        return
    batch_id = select(batch.c.id).where(batch.c.no == batch_no).scalar_subquery()
    # First, so that whoever reads its files, and holds an earlier fence, leaves no mark any more.
    _run_again(connection, batch_id)
    again = select(outcome.c.request_id).where(
        outcome.c.batch_no == batch_no, outcome.c.status != "succeeded"
    )
    mine = ended_request.c.batch_no == batch_no
    connection.execute(delete(ended_request).where(mine, ended_request.c.request_id.in_(again)))
    for file in (api_batch.c.output_file_id, api_batch.c.error_file_id):
        of_batch = select(file).where(api_batch.c.id == batch_id)
        connection.execute(delete(output_mark).where(output_mark.c.file_id.in_(of_batch)))
    for table in (api_file, webhook_event):
        connection.execute(delete(table).where(table.c.batch_id == batch_id))


def _run_again(connection: Connection, batch_id: ScalarSelect[str]) -> None:
    """Open a batch again, with as much time as it had, a week at most."""
    had = api_batch.c.expires_at - api_batch.c.created_at
    until = now_ms() + case((had > _WEEK_MS, _WEEK_MS), else_=had)
    values = {
        "state": "running",
        "ended_at": None,
        "expired_at": None,
        "cancelling_at": None,
        "measured": None,
        "expires_at": until,
        "lease_until": 0,
        "fence": api_batch.c.fence + 1,
    }
    connection.execute(update(api_batch).where(api_batch.c.id == batch_id).values(**values))


def _is_of_api(connection: Connection, batch_no: int) -> bool:
    query = select(batch.c.owner).where(batch.c.no == batch_no)
    return connection.execute(query).scalar_one_or_none() is not None


def _last(connection: Connection, batch_no: int) -> int:
    query = select(func.max(ended_request.c.number)).where(ended_request.c.batch_no == batch_no)
    return connection.execute(query).scalar_one() or 0
