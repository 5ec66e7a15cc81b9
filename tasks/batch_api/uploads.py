"""Uploads in parts: the parts become a file, in the order that the client names, or are thrown away."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import closing

from sqlalchemy import RowMapping

from tasks.batch_api.errors import ApiError, Conflict, NotFound
from tasks.files.storage import Draft, FileStorage, new_name
from tasks.store.api import files, uploads
from tasks.store.engine import Store

_BLOCK = 1 << 20


def pending(store: Store, owner: str, upload_id: str) -> RowMapping:
    """Return an upload that takes parts; raises NotFound, or Conflict for one that takes none any more."""
    row = find(store, owner, upload_id)
    if row["status"] != uploads.PENDING:
        raise Conflict(f"the upload is {row['status']}", code="upload_not_pending")
    return row


def find(store: Store, owner: str, upload_id: str) -> RowMapping:
    """Return an upload; raises NotFound, also for another owner's."""
    with store.read() as connection:
        row = uploads.find(connection, owner, upload_id)
    if row is None:
        raise NotFound("upload", upload_id)
    return row


def complete(
    store: Store, storage: FileStorage, owner: str, upload_id: str, part_ids: Sequence[str], md5: str | None
) -> RowMapping:
    """Make the file of an upload, and return the upload; one that is complete stays as it is.

    Raises:
        ApiError: A part is missing or named twice, or the bytes are not as many as announced, or have
            another MD5.
    """
    row = find(store, owner, upload_id)
    if row["status"] == uploads.COMPLETED:
        return row
    row = pending(store, owner, upload_id)
    name = new_name()
    with closing(_Discarded(storage.draft(name))) as made:
        draft = made.draft
        _join(storage, draft, _chosen(store, row, part_ids), md5)
        if draft.size != row["bytes"]:
            message = f"the parts have {draft.size} bytes, and the upload {row['bytes']}"
            raise ApiError(message, code="size_mismatch", param="part_ids")
        _keep(store, storage, row, name, draft)
    return find(store, owner, upload_id)


class _Discarded:
    """A draft that is discarded at the end, unless it was finished."""

    def __init__(self, draft: Draft) -> None:
        self.draft = draft

    def close(self) -> None:
        self.draft.discard()


def _keep(store: Store, storage: FileStorage, row: RowMapping, name: str, draft: Draft) -> None:
    """Let the file appear, unless another request has completed or cancelled the upload meanwhile."""
    digest = draft.finish()
    with store.write() as connection:
        file_id = files.new_id()
        if uploads.complete(connection, row["id"], file_id):
            files.create(
                connection,
                id=file_id,
                owner=row["owner"],
                purpose=row["purpose"],
                filename=row["filename"],
                bytes=draft.size,
                stored_as=name,
                sha256=digest,
                expires_after=row["expires_after"],
            )
            return
    storage.delete(name)


def _chosen(store: Store, row: RowMapping, part_ids: Sequence[str]) -> list[RowMapping]:
    with store.read() as connection:
        known = uploads.parts(connection, row["id"])
    if len(set(part_ids)) != len(part_ids) or not part_ids:
        raise ApiError("part_ids must name each part once", param="part_ids")
    for part_id in part_ids:
        if part_id not in known:
            raise NotFound("part", part_id, param="part_ids")
    return [known[part_id] for part_id in part_ids]


def _join(storage: FileStorage, draft: Draft, parts: Sequence[RowMapping], md5: str | None) -> None:
    digest = hashlib.md5(usedforsecurity=False)
    for part in parts:
        for block in _blocks(storage, part["stored_as"]):
            draft.write(block)
            digest.update(block)
    if md5 is not None and md5.lower() != digest.hexdigest():
        raise ApiError("the bytes have another MD5", code="checksum_mismatch", param="md5")


def _blocks(storage: FileStorage, name: str) -> Iterator[bytes]:
    with storage.open(name) as stream:
        while block := stream.read(_BLOCK):
            yield block
