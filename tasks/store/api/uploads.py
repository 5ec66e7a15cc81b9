"""Uploads in parts in the store; the bytes of parts lie in the file storage."""

from __future__ import annotations

import secrets
from typing import Any

from sqlalchemy import Connection, RowMapping, case, delete, func, insert, select, update

from tasks.store.api.tables import api_upload, api_upload_part
from tasks.store.engine import now_ms

PENDING, COMPLETED, CANCELLED, EXPIRED = "pending", "completed", "cancelled", "expired"
#: how long parts can be added, in seconds
KEPT_S = 3_600
_STATUS = case(
    ((api_upload.c.status == PENDING) & (api_upload.c.expires_at < now_ms()), EXPIRED),
    else_=api_upload.c.status,
)


def create(connection: Connection, **values: Any) -> RowMapping:
    """Store an upload that waits for its parts, and return it."""
    row = {
        "id": f"upload_{secrets.token_hex(12)}",
        "status": PENDING,
        "created_at": now_ms(),
        "expires_at": now_ms() + KEPT_S * 1000,
        **values,
    }
    return connection.execute(insert(api_upload).values(**row).returning(api_upload)).mappings().one()


def find(connection: Connection, owner: str, upload_id: str) -> RowMapping | None:
    """Return an upload of this owner, whose `status` is that of this moment; None if there is none."""
    columns = [column for column in api_upload.c if column.name != "status"]
    mine = (api_upload.c.id == upload_id) & (api_upload.c.owner == owner)
    query = select(*columns, _STATUS.label("status")).where(mine)
    return connection.execute(query).mappings().one_or_none()


def add_part(connection: Connection, upload_id: str, *, stored_as: str, size: int) -> RowMapping | None:
    """Store a part and return it; None if the upload takes no more parts."""
    if not _end(connection, upload_id, status=PENDING):
        return None
    row = {
        "id": f"part_{secrets.token_hex(12)}",
        "upload_id": upload_id,
        "bytes": size,
        "stored_as": stored_as,
        "created_at": now_ms(),
    }
    statement = insert(api_upload_part).values(**row).returning(api_upload_part)
    return connection.execute(statement).mappings().one()


def parts(connection: Connection, upload_id: str) -> dict[str, RowMapping]:
    """Return the parts of an upload by their ids."""
    query = select(api_upload_part).where(api_upload_part.c.upload_id == upload_id)
    return {row["id"]: row for row in connection.execute(query).mappings()}


def count_parts(connection: Connection, upload_id: str) -> tuple[int, int]:
    """Return how many parts an upload has, and how many bytes these have."""
    query = select(func.count(), func.coalesce(func.sum(api_upload_part.c.bytes), 0))
    count, size = connection.execute(query.where(api_upload_part.c.upload_id == upload_id)).one()
    return count, int(size)


def complete(connection: Connection, upload_id: str, file_id: str) -> bool:
    """Note the file that an upload has become; False if it is no longer pending."""
    return _end(connection, upload_id, status=COMPLETED, file_id=file_id)


def cancel(connection: Connection, upload_id: str) -> bool:
    """Cancel an upload; False if it is no longer pending."""
    return _end(connection, upload_id, status=CANCELLED)


def over(connection: Connection, limit: int) -> list[RowMapping]:
    """Return the parts of uploads that have ended or are too old."""
    query = (
        select(api_upload_part)
        .join(api_upload, api_upload.c.id == api_upload_part.c.upload_id)
        .where(_STATUS != PENDING)
    )
    return list(connection.execute(query.limit(limit)).mappings())


def forget_parts(connection: Connection, part_ids: list[str]) -> None:
    """Remove parts whose bytes are gone."""
    connection.execute(delete(api_upload_part).where(api_upload_part.c.id.in_(part_ids)))


def _end(connection: Connection, upload_id: str, **values: Any) -> bool:
    pending = (api_upload.c.id == upload_id) & (_STATUS == PENDING)
    return connection.execute(update(api_upload).where(pending).values(**values)).rowcount == 1
