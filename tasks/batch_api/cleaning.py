"""The removal of what nobody needs any more from the file storage."""

from __future__ import annotations

import logging

from sqlalchemy import select

from tasks.errors import UsageError
from tasks.files.storage import FileStorage
from tasks.store import deletion
from tasks.store.api import endings, files, uploads
from tasks.store.api.tables import api_file, api_upload_part
from tasks.store.engine import Store

logger = logging.getLogger(__name__)

_MANY = 500
#: a file without a row is of an upload that broke off; younger ones may yet get their row
ORPHAN_S = 86_400.0


def clean(store: Store, storage: FileStorage) -> None:
    """Remove the bytes of deleted and expired files, of ended uploads, and of uploads that broke off."""
    _clean_files(store, storage)
    _clean_parts(store, storage)
    _clean_outputs(store)
    _clean_orphans(store, storage)


def _clean_files(store: Store, storage: FileStorage) -> None:
    with store.read() as connection:
        rows = files.over(connection, _MANY)
    for row in rows:
        storage.delete(row["stored_as"])
    if rows:
        with store.write() as connection:
            files.forget_bytes(connection, [row["id"] for row in rows])


def _clean_parts(store: Store, storage: FileStorage) -> None:
    with store.read() as connection:
        rows = uploads.over(connection, _MANY)
    for row in rows:
        storage.delete(row["stored_as"])
    if rows:
        with store.write() as connection:
            uploads.forget_parts(connection, [row["id"] for row in rows])


def _clean_outputs(store: Store) -> None:
    """Delete the prompts and answers of batches whose output files are all deleted or expired."""
    with store.read() as connection:
        batch_ids = endings.without_outputs(connection, _MANY)
    for batch_id in batch_ids:
        try:
            with store.write() as connection:
                numbers = deletion.mark(connection, batch_id)
        except UsageError:  # judges compare its answers: the next time
            continue
        for number in numbers:
            deletion.clear(store, number)


def _clean_orphans(store: Store, storage: FileStorage) -> None:
    for name in list(storage.drafts_and_files(ORPHAN_S)):
        if not _is_known(store, name):
            storage.delete(name)
            logger.info("removed what an upload that broke off had left")


def _is_known(store: Store, name: str) -> bool:
    of_file = select(api_file.c.id).where(api_file.c.stored_as == name).limit(1)
    of_part = select(api_upload_part.c.id).where(api_upload_part.c.stored_as == name).limit(1)
    with store.read() as connection:
        return any(connection.execute(query).first() for query in (of_file, of_part))
