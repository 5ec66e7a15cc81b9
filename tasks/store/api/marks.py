"""Marks in the files of batches, by which a reader begins in the middle."""

from __future__ import annotations

from sqlalchemy import ColumnElement, Connection, RowMapping, select

from tasks.store.api.tables import api_batch, output_mark
from tasks.store.outcomes import insert_ignoring


def leave(connection: Connection, row: RowMapping, file_id: str, number: int, offset: int) -> None:
    """Note how many bytes the lines of a file have up to a number, unless its batch was taken up again."""
    mine = (api_batch.c.id == row["id"]) & (api_batch.c.fence == row["fence"])
    if connection.execute(select(api_batch.c.id).where(mine).with_for_update()).first() is not None:
        place = {"file_id": file_id, "number": number, "offset": offset}
        connection.execute(insert_ignoring(connection, output_mark).values(**place))


def last_before(connection: Connection, file_id: str, condition: ColumnElement[bool]) -> tuple[int, int]:
    """Return the last mark of a file that fulfils a condition: a number, and the bytes of lines up to it."""
    query = (
        select(output_mark.c.number, output_mark.c.offset)
        .where(output_mark.c.file_id == file_id, condition)
        .order_by(output_mark.c.number.desc())
        .limit(1)
    )
    row = connection.execute(query).one_or_none()
    return row or (0, 0)
