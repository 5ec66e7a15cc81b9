"""Archiving of a batch, and its restoration."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterable
from pathlib import Path

from tasks.archiving.files import checked_hash, read_table, write_table
from tasks.errors import UsageError
from tasks.private_home import make_folder
from tasks.store import archive, batches
from tasks.store.engine import Store

_PARTIAL = ".partial"


def archive_batch(store: Store, batch_id: str, folder: Path) -> Path:
    """Move the rows of a batch that has ended to a folder of Parquet files, and return that folder.

    Where an earlier attempt wrote the archive but broke off in deleting the rows, they are deleted.

    Args:
        store: The store.
        batch_id: The batch.
        folder: Where its archive is made, a folder with its id.

    Raises:
        UsageError: The batch cannot be archived, or the files cannot be written; nothing is deleted then.
    """
    target = folder / batch_id
    with store.read() as connection:
        row = batches.find(connection, batch_id)
        if row["archived_at"] is None:
            row = archive.find(connection, batch_id)
    if row["archived_at"] is None:
        try:
            archive_hash = _write(store, batch_id, int(row["no"]), target)
        except OSError as error:
            raise UsageError(f"{target} cannot be written: {error.strerror or error}") from None
        with store.write() as connection:
            archive.mark(connection, row, archive_hash)
    elif not target.exists() or archive_hash_of(target)[1] != row["archive_hash"]:
        raise UsageError(f"{batch_id} is archived, but not in {target}")
    archive.delete_rows(store, int(row["no"]))
    return target


def restore_batch(store: Store, folder: Path) -> str:
    """Put the rows of an archive back into the store that they came from; returns the batch's id.

    It may be interrupted and repeated. The archive stays as it is.

    Raises:
        UsageError: The archive is damaged, or not that of an archived batch of this store.
    """
    batch_id, archive_hash = archive_hash_of(folder)
    with store.read() as connection:
        batch_no = int(archive.find_archived(connection, batch_id, archive_hash)["no"])
    archive.delete_rows(store, batch_no)  # what an interrupted restoration has left
    for table in archive.KEYS:
        for rows in read_table(folder, table):
            with store.write() as connection:
                # A deletion of its texts waits for the lock, and then finds these rows, too.
                batches.lock(connection, batch_no)
                archive.find_archived(connection, batch_id, archive_hash)
                archive.insert_rows(connection, table, rows)
    with store.write() as connection:
        archive.unmark(connection, batch_no)
    return batch_id


def archive_hash_of(folder: Path) -> tuple[str, str]:
    """Return the batch of an archive and the hash of all of its rows, which are compared with their hashes.

    Raises:
        UsageError: A file is missing or damaged.
    """
    found = [checked_hash(folder, table) for table in archive.KEYS]
    if len({batch_id for batch_id, _ in found}) != 1:
        raise UsageError(f"{folder} holds files of several batches")
    return found[0][0], _joined(digest for _, digest in found)


def _write(store: Store, batch_id: str, batch_no: int, target: Path) -> str:
    """Write the archive; the folder has its name only once all of it is on the disk."""
    partial = target.with_name(target.name + _PARTIAL)
    shutil.rmtree(partial, ignore_errors=True)
    make_folder(partial)
    hashes = [
        write_table(partial, table, batch_id, archive.pages(store, table, batch_no)) for table in archive.KEYS
    ]
    _sync(partial)
    shutil.rmtree(target, ignore_errors=True)  # of an attempt that did not come to the mark
    partial.rename(target)
    _sync_folder(target.parent)
    # What is on the disk is compared with what the store held, before anything is deleted.
    written = archive_hash_of(target)[1]
    if written != _joined(hashes):
        raise UsageError(f"{target} does not hold what was written: is the disk sound?")
    return written


def _joined(hashes: Iterable[str]) -> str:
    return hashlib.sha256("".join(hashes).encode()).hexdigest()


def _sync(folder: Path) -> None:
    for path in folder.iterdir():
        with path.open("rb") as file:
            os.fsync(file.fileno())
    _sync_folder(folder)


def _sync_folder(folder: Path) -> None:
    number = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
