"""Files of the API in the store; their bytes are in the file storage, or made of a batch's results."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, RowMapping, and_, func, insert, or_, select, true, update

from tasks.store.api import audit
from tasks.store.api.tables import api_batch, api_file, api_upload
from tasks.store.engine import now_ms
from tasks.store.tables import batch

#: a file that is neither deleted nor too old
_IS_THERE = api_file.c.deleted_at.is_(None) & or_(
    api_file.c.expires_at.is_(None), api_file.c.expires_at > now_ms()
)


def new_id() -> str:
    """Return the id of a new file."""
    return f"file-{secrets.token_hex(12)}"


def create(connection: Connection, *, expires_after: int | None = None, **values: Any) -> RowMapping:
    """Store the row of a file and return it; `expires_after` is in seconds."""
    expires_at = None if expires_after is None else now_ms() + expires_after * 1000
    row = {"id": new_id(), "created_at": now_ms(), "expires_at": expires_at, **values}
    if "stored_as" in values:  # uploaded, not made of answers
        audit.note(connection, "file.create", row["id"], owner=row["owner"], bytes=row["bytes"])
    return connection.execute(insert(api_file).values(**row).returning(api_file)).mappings().one()


def find(connection: Connection, owner: str, file_id: str) -> RowMapping | None:
    """Return the row of a file of this owner; None if there is none, or none any more."""
    query = select(api_file).where(api_file.c.id == file_id, api_file.c.owner == owner, _IS_THERE)
    return connection.execute(query).mappings().one_or_none()


def stored_bytes(connection: Connection, owner: str) -> int:
    """Return the bytes of an owner's files in the storage, with those that its open uploads announce."""
    here = (api_file.c.owner == owner) & api_file.c.stored_as.is_not(None)
    open_ = (api_upload.c.owner == owner) & (api_upload.c.status == "pending")
    sums = (
        select(func.coalesce(func.sum(api_file.c.bytes), 0)).where(here),
        select(func.coalesce(func.sum(api_upload.c.bytes), 0)).where(
            open_, api_upload.c.expires_at > now_ms()
        ),
    )
    return sum(int(connection.execute(one).scalar_one()) for one in sums)


def page(
    connection: Connection,
    owner: str,
    *,
    after: str | None,
    limit: int,
    newest_first: bool,
    purpose: str | None,
) -> list[RowMapping] | None:
    """Return the next files of an owner after this one, at most `limit`; None if `after` is no file of it."""
    query = select(api_file).where(api_file.c.owner == owner, _IS_THERE)
    if purpose is not None:
        query = query.where(api_file.c.purpose == purpose)
    if after is not None:
        cursor = (
            connection.execute(select(api_file).where(api_file.c.id == after, api_file.c.owner == owner))
            .mappings()
            .one_or_none()
        )
        if cursor is None:
            return None
        query = query.where(beyond(api_file, cursor, newest_first=newest_first))
    order = (api_file.c.created_at, api_file.c.id)
    query = query.order_by(*((column.desc() for column in order) if newest_first else order))
    return list(connection.execute(query.limit(limit)).mappings())


def beyond(table: Any, cursor: RowMapping, *, newest_first: bool) -> ColumnElement[bool]:
    """Return the condition that a row comes after another by time of creation, then by id."""
    at, row_id = table.c.created_at, table.c.id
    if newest_first:
        later, tie = at < cursor["created_at"], row_id < cursor["id"]
    else:
        later, tie = at > cursor["created_at"], row_id > cursor["id"]
    return or_(later, and_(at == cursor["created_at"], tie))


def delete(connection: Connection, owner: str, file_id: str) -> RowMapping | None:
    """Mark a file of this owner as deleted and return its row; None if there is none."""
    mine = update(api_file).where(api_file.c.id == file_id, api_file.c.owner == owner, _IS_THERE)
    row = connection.execute(mine.values(deleted_at=now_ms()).returning(api_file)).mappings().one_or_none()
    if row is not None:
        audit.note(connection, "file.delete", file_id, owner=owner)
    return row


def delete_inputs(connection: Connection, batch_nos: Sequence[int]) -> None:
    """Mark the files as deleted that these batches were made of, whose data goes.

    One stays that another batch with its data, or that is still to be made of it, has in common.
    """
    made = select(api_batch.c.input_file_id).join(batch, batch.c.id == api_batch.c.id)
    of_file = select(api_batch.c.id).where(api_batch.c.input_file_id == api_file.c.id)
    other = of_file.outerjoin(batch, batch.c.id == api_batch.c.id).where(
        or_(api_batch.c.state == "validating", batch.c.data_deleted_at.is_(None) & batch.c.no.is_not(None))
    )
    mine = api_file.c.id.in_(made.where(batch.c.no.in_(batch_nos))) & ~other.exists() & _IS_THERE
    gone = update(api_file).where(mine).values(deleted_at=now_ms()).returning(api_file.c.id, api_file.c.owner)
    for file_id, owner in connection.execute(gone).all():
        audit.note(connection, "file.delete", file_id, owner=owner, actor=audit.OPERATOR)


def is_being_read(connection: Connection, owner: str, file_id: str) -> bool:
    """Return whether a batch of this owner still takes its requests from a file."""
    query = select(api_batch.c.id).where(
        api_batch.c.owner == owner, api_batch.c.input_file_id == file_id, api_batch.c.state == "validating"
    )
    return connection.execute(query.limit(1)).first() is not None


def is_small(max_bytes: int | None) -> ColumnElement[bool]:
    """Return the condition that a file, which may not be there any more, is at most this large; None: any."""
    return true() if max_bytes is None else func.coalesce(api_file.c.bytes, 0) <= max_bytes


def over(connection: Connection, limit: int) -> list[RowMapping]:
    """Return files with bytes in the storage that are deleted or too old, and that no batch still reads."""
    read = select(api_batch.c.input_file_id).where(api_batch.c.state == "validating")
    query = select(api_file).where(api_file.c.stored_as.is_not(None), ~_IS_THERE, api_file.c.id.not_in(read))
    return list(connection.execute(query.limit(limit)).mappings())


def forget_bytes(connection: Connection, file_ids: Sequence[str]) -> None:
    """Note that the bytes of these files are gone from the storage."""
    gone = update(api_file).where(api_file.c.id.in_(file_ids))
    connection.execute(gone.values(stored_as=None, deleted_at=now_ms()))
