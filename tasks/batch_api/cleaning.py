"""The removal of what nobody needs any more from the file storage."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from contextlib import suppress

from sqlalchemy import Connection, RowMapping, select, union

from tasks.errors import UsageError
from tasks.files.storage import FileStorage
from tasks.store import deletion
from tasks.store.api import endings, files, uploads
from tasks.store.api.tables import api_file, api_upload_part
from tasks.store.bulk import batched_ids
from tasks.store.engine import Store
from tasks.store.isolation import isolated

logger = logging.getLogger(__name__)

_MANY = 500
#: a file without a row is of an upload that broke off; younger ones may yet get their row
ORPHAN_S = 86_400.0


def clean(store: Store, storage: FileStorage) -> None:
    """Remove the bytes of files and uploads that are over, and the texts of batches without output files."""
    _clean_bytes(store, storage, files.over, files.forget_bytes)
    _clean_bytes(store, storage, uploads.over, uploads.forget_parts)
    _clean_outputs(store)


def clean_orphans(store: Store, storage: FileStorage) -> None:
    """Remove what uploads that broke off have left: it looks at every file of the storage."""
    old = list(storage.drafts_and_files(ORPHAN_S))
    for names in batched_ids(old, _MANY):
        with store.read() as connection:
            orphans = set(names) - _known(connection, names)
        for name in orphans:
            storage.delete(name)
            logger.info("removed what an upload that broke off had left")


def _known(connection: Connection, names: Sequence[str]) -> set[str]:
    stored = union(
        *(select(one).where(one.in_(names)) for one in (api_file.c.stored_as, api_upload_part.c.stored_as))
    )
    return set(connection.execute(stored).scalars())


def _clean_bytes(
    store: Store,
    storage: FileStorage,
    over: Callable[[Connection, int], list[RowMapping]],
    forget: Callable[[Connection, list[str]], None],
) -> None:
    with store.read() as connection:
        rows = over(connection, _MANY)
    for row in rows:
        storage.delete(row["stored_as"])
    if rows:
        with store.write() as connection:
            forget(connection, [row["id"] for row in rows])


def _clean_outputs(store: Store) -> None:
    """Delete the prompts and answers of batches whose output files are all deleted or expired."""
    with store.read() as connection:
        batch_ids = endings.without_outputs(connection, _MANY)
    for batch_id in batch_ids:
        with isolated(batch_id), suppress(UsageError):  # judges compare its answers: the next time
            with store.write() as connection:
                numbers = deletion.mark(connection, batch_id)
            for number in numbers:
                deletion.clear(store, number)
