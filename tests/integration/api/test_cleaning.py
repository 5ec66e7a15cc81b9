"""What nobody needs any more goes from the file storage."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import update

from tasks.batch_api import ending
from tasks.batch_api.cleaning import clean, clean_orphans
from tasks.files.opening import open_storage
from tasks.files.storage import new_name
from tasks.store import control, deletion
from tasks.store.api import files, uploads
from tasks.store.api.tables import api_file, api_upload
from tasks.store.engine import Store
from tests.support import store_builders
from tests.support.api import chat_line
from tests.support.tenants import Tenant


def _stored(tenant: Tenant) -> set[str]:
    return {path.name for path in (tenant.settings.home / "files").iterdir()}


def _clean(tenant: Tenant) -> None:
    clean(tenant.store, open_storage(tenant.settings))


def test_an_expired_file_goes_but_not_while_a_batch_is_made_of_it(tenant: Tenant, store: Store) -> None:
    kept, expired = tenant.upload(["{}"]), tenant.upload(["{}"])
    tenant.create(expired)
    with store.write() as connection:
        connection.execute(update(api_file).where(api_file.c.id == expired).values(expires_at=1))
    _clean(tenant)
    assert len(_stored(tenant)) == 2
    tenant.validator.take_one()
    _clean(tenant)
    with store.read() as connection:
        row = files.find(connection, tenant.key.id, kept)
    assert row is not None
    assert _stored(tenant) == {row["stored_as"]}


def test_the_parts_of_an_upload_go_with_its_time(tenant: Tenant, store: Store) -> None:
    storage = open_storage(tenant.settings)
    draft = storage.draft("part")
    draft.write(b"x")
    draft.finish()
    values = {"filename": "x", "purpose": "batch", "mime_type": "x", "bytes": 1}
    with store.write() as connection:
        row = uploads.create(connection, owner=tenant.key.id, **values)
        uploads.add_part(connection, row["id"], stored_as="part", size=1)
    _clean(tenant)
    assert _stored(tenant) == {"part"}
    with store.write() as connection:
        connection.execute(update(api_upload).values(expires_at=1))
        assert uploads.add_part(connection, row["id"], stored_as="late", size=1) is None
    _clean(tenant)
    assert _stored(tenant) == set()


def _make_old(folder: Path, *, but: str = "") -> None:
    for path in folder.iterdir():
        if path.name != but:
            os.utime(path, (1, 1))


def test_what_an_upload_that_broke_off_left_goes_after_a_day(tenant: Tenant) -> None:
    tenant.upload(["{}"])
    known, young = _stored(tenant), new_name()
    folder: Path = tenant.settings.home / "files"
    for name in (new_name(), f"{new_name()}.part", young):
        (folder / name).write_bytes(b"x")
    _make_old(folder, but=young)
    clean_orphans(tenant.store, open_storage(tenant.settings))
    assert _stored(tenant) == {*known, young}


def test_what_others_keep_in_the_same_folder_stays(tenant: Tenant) -> None:
    folder: Path = tenant.settings.home / "files"
    storage = open_storage(tenant.settings)
    others = {"notes.txt", "x.part", "ab" * 32}
    for name in others:
        (folder / name).touch()
    _make_old(folder)
    clean_orphans(tenant.store, storage)
    assert _stored(tenant) >= others


def test_with_the_last_output_file_go_the_prompts_and_answers(
    new_tenant: Callable[..., Tenant], store: Store
) -> None:
    tenant = new_tenant()
    row = tenant.create(lines=2)
    tenant.validator.take_one()
    number = tenant.row(row["id"])["run_no"]
    requests = store_builders.held(store, number)
    store_builders.reserve(store, requests)
    store_builders.settle(store, requests[:1])
    store_builders.settle(store, requests[1:], next=store_builders.REFUSED)
    ending.end_finished(store)
    for deleted, is_gone in (("output_file_id", False), ("error_file_id", True)):
        with store.write() as connection:
            assert files.delete(connection, tenant.key.id, row[deleted])
        _clean(tenant)
        assert (tenant.row(row["id"])["run_data_deleted_at"] is not None) is is_gone


def test_with_the_prompts_of_its_last_batch_goes_the_file_that_was_uploaded(
    new_tenant: Callable[..., Tenant], store: Store
) -> None:
    tenant = new_tenant()
    file = tenant.upload([chat_line(1, model="small")])
    unrelated = tenant.upload([chat_line(1, model="small")])
    batch_ids = [tenant.create(file, metadata={"run": str(number)})["id"] for number in range(3)]
    for _ in batch_ids[1:]:
        tenant.validator.take_one()
    for batch_id in batch_ids[:2]:
        _cancel(store, batch_id)
    left = []
    for batch_id in batch_ids:
        if batch_id == batch_ids[2]:
            tenant.validator.take_one()
            _cancel(store, batch_id)
        with store.write() as connection:
            deletion.mark(connection, batch_id)
        _clean(tenant)
        with store.read() as connection:
            left.append(files.find(connection, tenant.key.id, file) is not None)
            assert files.find(connection, tenant.key.id, unrelated)
    assert left == [True, True, False], "the second one is deleted while the third is still to be made of it"
    assert len(_stored(tenant)) == 1


def _cancel(store: Store, batch_id: str) -> None:
    with store.write() as connection:
        control.cancel(connection, batch_id)
