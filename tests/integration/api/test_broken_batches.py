"""Batches of the API beside one on which the work fails each time: they end all the same."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from sqlalchemy import update

from tasks.batch_api import cleaning, ending
from tasks.files.opening import open_storage
from tasks.store import batches, control, deletion
from tasks.store.api.tables import api_batch, api_file
from tasks.store.engine import Store
from tests.support.tenants import Tenant


def fails_for(broken: str, work: Any) -> Any:
    """Return a function like `work` that fails where an argument is this batch's id, or a row that has it."""

    def failing(*arguments: Any, **options: Any) -> Any:
        ids = [one["id"] if isinstance(one, Mapping) else one for one in arguments]
        if broken in ids:
            raise KeyError("a value that no Waybill of today stores")
        return work(*arguments, **options)

    return failing


def started(tenant: Tenant) -> str:
    """Return the id of a batch whose requests are stored."""
    batch_id = str(tenant.create()["id"])
    assert tenant.validator.take_one()
    return batch_id


def state_of(tenant: Tenant, batch_id: str) -> tuple[str, bool]:
    row = tenant.row(batch_id)
    return str(row["run_status"]), row["expired_at"] is not None


def test_batches_whose_time_is_over_end(
    tenant: Tenant, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken, healthy = started(tenant), started(tenant)
    with store.write() as connection:
        connection.execute(update(api_batch).values(expires_at=1))
        connection.execute(update(api_batch).where(api_batch.c.id == healthy).values(expires_at=2))
    monkeypatch.setattr(control, "cancel", fails_for(broken, control.cancel))
    ending.expire_overdue(store)
    assert state_of(tenant, healthy) == ("cancelled", True)
    assert state_of(tenant, broken) == ("in_progress", False)


def test_the_files_of_batches_are_measured(
    tenant: Tenant, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken, healthy = started(tenant), started(tenant)
    for one in (broken, healthy):
        with store.write() as connection:
            control.cancel(connection, one)
    monkeypatch.setattr(ending, "measure", fails_for(broken, ending.measure))
    with pytest.raises(KeyError):
        ending.end_finished(store)
    assert ending.end_finished(store)
    assert [tenant.row(one)["state"] for one in (broken, healthy)] == ["running", "ended"]


def test_the_texts_of_batches_without_output_files_go(
    tenant: Tenant, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken, healthy = started(tenant), started(tenant)
    for one in (broken, healthy):
        with store.write() as connection:
            control.cancel(connection, one)
        assert ending.end_finished(store)
    with store.write() as connection:
        connection.execute(update(api_file).where(api_file.c.batch_id.is_not(None)).values(expires_at=1))
    monkeypatch.setattr(deletion, "mark", fails_for(broken, deletion.mark))
    cleaning.clean(store, open_storage(tenant.settings))
    with store.read() as connection:
        deleted = [batches.find(connection, one)["data_deleted_at"] is not None for one in (broken, healthy)]
    assert deleted == [False, True]
