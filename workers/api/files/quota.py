"""What the uploaded files of one key may have together, so that no key fills the storage of all."""

from __future__ import annotations

from sqlalchemy import Connection

from tasks.store.api import files, keys
from workers.api.context import Call
from workers.api.errors.responses import TooLarge


def refuse_announced(call: Call, *, param: str) -> None:
    """Raise TooLarge for a request whose body has no room, before it is read."""
    announced = int(call.request.headers.get("content-length") or 0)
    with call.store.read() as connection:
        _refuse(connection, call, announced, param)


def take_room(connection: Connection, call: Call, size: int, *, param: str) -> None:
    """Raise TooLarge if a file of this size has no room; the key is locked until the transaction ends."""
    keys.lock(connection, call.key.id)
    _refuse(connection, call, size, param)


def _refuse(connection: Connection, call: Call, size: int, param: str) -> None:
    most = int(call.context.settings.api.max_stored_gb * 2**30)
    if files.stored_bytes(connection, call.key.id) + size > most:
        raise TooLarge(f"the key's files may have {most} bytes together: delete some", param=param)
