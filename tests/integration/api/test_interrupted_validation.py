"""Validations whose process dies, is overtaken or is cancelled in the middle."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest
from sqlalchemy import RowMapping, select, update

from tasks.batch_api import ending
from tasks.errors import UsageError
from tasks.store import progress, steering
from tasks.store.api import validations
from tasks.store.api.tables import api_batch, webhook_event
from tasks.store.batch_options import BatchOptions
from tasks.store.engine import Store
from tasks.store.tables import request
from tasks.submission import submit
from tasks.submission.batch_writer import BatchWriter
from tests.support import store_builders
from tests.support.comparisons import assert_fields
from tests.support.tenants import Tenant, expire_lease
from workers.api.batches.objects import status_of


def _before_the_second_slice(monkeypatch: pytest.MonkeyPatch, event: Callable[[], None]) -> None:
    """Let something happen, once, before the second slice of lines is stored."""
    write, slices = BatchWriter.write, itertools.count(1)

    def eventful(*arguments: object) -> object:
        if next(slices) == 2:
            event()
        return write(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(submit, "FIRST_LINES", 2)
    monkeypatch.setattr(BatchWriter, "write", eventful)


def _broken_off(tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> RowMapping:
    """Return a batch of seven lines, the process of which died when some of them were stored."""
    row = tenant.create(lines=7)

    def dies() -> None:
        raise ConnectionError

    _before_the_second_slice(monkeypatch, dies)
    with pytest.raises(ConnectionError):
        tenant.validator.take_one()
    return row


def test_a_submission_that_broke_off_goes_on_where_it_stopped(
    tenant: Tenant, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = _broken_off(tenant, monkeypatch)
    assert not tenant.validator.take_one(), "its lease still holds"
    expire_lease(store)
    assert tenant.validator.take_one()
    state = tenant.row(row["id"])
    assert (state["run_total"], state["run_invalid"], state["run_status"]) == (7, 0, "in_progress")


def test_a_batch_whose_process_died_is_not_ended_by_a_resume_and_nobody_else_sends_its_lines(
    tenant: Tenant, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch_id = _broken_off(tenant, monkeypatch)["id"]
    with store.write() as connection:
        steering.pause(connection, batch_id)
        steering.resume(connection, batch_id)
        state = progress.snapshot(connection, batch_id)
    assert_fields(state, status="ingesting", paused_at=None, sending=None, broken_off=False)
    with pytest.raises(UsageError, match="belongs to a key of the API"):
        submit.submit(store, [], source=state.source, options=BatchOptions(), resume=batch_id)
    expire_lease(store)
    assert tenant.validator.take_one()
    assert tenant.row(batch_id)["run_total"] == 7


def test_a_batch_whose_stored_lines_are_not_those_of_its_file_ends(
    tenant: Tenant, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = _broken_off(tenant, monkeypatch)
    with store.write() as connection:
        connection.execute(update(request).where(request.c.line == 2).values(custom_id="other"))
    expire_lease(store)
    assert tenant.validator.take_one()
    state = tenant.row(row["id"])
    assert "are not those that were stored" in str(state["errors"])
    assert state["run_status"] == "cancelled"


def test_two_processes_that_submit_the_same_batch_store_no_line_twice(
    tenant: Tenant, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = tenant.create(lines=9)

    def is_overtaken() -> None:  # the process was frozen: another one takes the batch over, and ends it
        expire_lease(store)
        assert tenant.validator.take_one()

    _before_the_second_slice(monkeypatch, is_overtaken)
    assert tenant.validator.take_one()
    state = tenant.row(row["id"])
    assert (state["run_total"], state["run_invalid"], state["state"]) == (9, 0, "running")


def test_a_batch_whose_validation_always_dies_fails_after_some_tries(tenant: Tenant, store: Store) -> None:
    row = tenant.create()
    for _ in range(5):
        with store.write() as connection:
            assert validations.claim(connection, lease_s=60)
        expire_lease(store)
    assert tenant.validator.take_one()
    state = tenant.row(row["id"])
    assert (state["state"], state["errors"][0]["code"]) == ("failed", "internal_error")
    assert state["run_no"] is None


def test_a_batch_that_is_given_up_in_the_middle_fails_and_keeps_what_was_answered(
    tenant: Tenant, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = _broken_off(tenant, monkeypatch)
    number = tenant.row(row["id"])["run_no"]
    [first, _] = store_builders.held(store, number)
    store_builders.reserve(store, [first])
    with store.write() as connection:
        connection.execute(update(api_batch).values(lease_until=1, fence=5))
    assert tenant.validator.take_one()
    assert status_of(tenant.row(row["id"])) == "finalizing", "a call is in flight"
    store_builders.settle(store, [first])
    assert ending.end_finished(store)
    state = tenant.row(row["id"])
    assert (status_of(state), state["run_succeeded"], state["run_cancelled"]) == ("failed", 1, 1)
    assert [error["code"] for error in state["errors"]] == ["internal_error"]
    with store.read() as connection:
        assert list(connection.execute(select(webhook_event.c.type)).scalars()) == ["batch.failed"]


def test_a_batch_that_was_cancelled_in_the_middle_has_not_failed(
    tenant: Tenant, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = tenant.create(lines=7)

    def is_cancelled() -> None:
        with store.write() as connection:
            ending.cancel(connection, tenant.row(row["id"]))
        raise ConnectionError

    _before_the_second_slice(monkeypatch, is_cancelled)
    with pytest.raises(ConnectionError):
        tenant.validator.take_one()
    with store.write() as connection:
        connection.execute(update(api_batch).values(lease_until=1, fence=5))
    assert tenant.validator.take_one()
    assert ending.end_finished(store)
    assert status_of(tenant.row(row["id"])) == "cancelled"
