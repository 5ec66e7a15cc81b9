"""The order in which the requests of an API's batch ended, in which its files are read while it runs."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, delete, func, select

from tasks.store.api.tables import api_batch, ended_request, output_mark
from tasks.store.bulk import batched_ids, insert_values
from tasks.store.ids import ids_of, request_id
from tasks.store.tables import batch, input_error, outcome


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
    """Append what workers of an earlier version have ended; the caller holds the lock of the ended batch."""
    known = select(ended_request.c.request_id).where(ended_request.c.batch_no == batch_no)
    ids = list(
        connection.execute(
            select(outcome.c.request_id)
            .where(outcome.c.request_id.between(*ids_of(batch_no)), outcome.c.request_id.not_in(known))
            .order_by(outcome.c.request_id)
        ).scalars()
    )
    lines = connection.execute(select(input_error.c.line).where(input_error.c.batch_no == batch_no)).scalars()
    bad = [request_id(batch_no, line) for line in lines]
    written = set()
    for part in batched_ids(bad):
        written |= set(connection.execute(known.where(ended_request.c.request_id.in_(part))).scalars())
    record(connection, batch_no, [*ids, *(one for one in bad if one not in written)])


def after(connection: Connection, batch_no: int, number: int, limit: int) -> list[tuple[int, int]]:
    """Return the next ended lines after this place of the order, as (number, request id)."""
    query = (
        select(ended_request.c.number, ended_request.c.request_id)
        .where(ended_request.c.batch_no == batch_no, ended_request.c.number > number)
        .order_by(ended_request.c.number)
        .limit(limit)
    )
    return list(connection.execute(query).tuples())


def number_of(connection: Connection, batch_no: int, request_id: int) -> int | None:
    """Return the place of a line in the order of its batch; None if it has not ended."""
    query = select(ended_request.c.number).where(
        ended_request.c.batch_no == batch_no, ended_request.c.request_id == request_id
    )
    return connection.execute(query.limit(1)).scalar_one_or_none()


def forget(connection: Connection, batch_no: int, request_ids: Sequence[int]) -> None:
    """Take out lines that are sent again: the batch's files begin anew."""
    if not _is_of_api(connection, batch_no):
        return
    for part in batched_ids(request_ids):
        connection.execute(
            delete(ended_request).where(
                ended_request.c.batch_no == batch_no, ended_request.c.request_id.in_(part)
            )
        )
    files = select(api_batch.c.output_file_id, api_batch.c.error_file_id).join(
        batch, batch.c.id == api_batch.c.id
    )
    for row in connection.execute(files.where(batch.c.no == batch_no)):
        connection.execute(delete(output_mark).where(output_mark.c.file_id.in_(tuple(row))))


def _is_of_api(connection: Connection, batch_no: int) -> bool:
    query = select(batch.c.owner).where(batch.c.no == batch_no)
    return connection.execute(query).scalar_one_or_none() is not None


def _last(connection: Connection, batch_no: int) -> int:
    query = select(func.max(ended_request.c.number)).where(ended_request.c.batch_no == batch_no)
    return connection.execute(query).scalar_one() or 0
