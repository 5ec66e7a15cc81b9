"""The validation of files, by processes that die and by several at once."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace

import pytest
from sqlalchemy import select, update

from tasks.batch_api import ending
from tasks.batch_api.output import OutputFile, pieces
from tasks.store import batches, control, sweep
from tasks.store.api import validations
from tasks.store.api.tables import api_batch
from tasks.store.engine import Store
from tasks.store.tables import input_error
from tasks.store.values import RequestResult
from tasks.submission import submit
from tests.support import store_builders
from tests.support.api import chat_line
from tests.support.tenants import Tenant


def _expire_lease(store: Store) -> None:
    with store.write() as connection:
        connection.execute(update(api_batch).values(lease_until=1))


def _before_the_second_slice(monkeypatch: pytest.MonkeyPatch, event: Callable[[], None]) -> None:
    """Let something happen, once, before the second slice of lines is stored."""
    write, slices = submit._BatchWriter.write, itertools.count(1)

    def eventful(*arguments: object) -> object:
        if next(slices) == 2:
            event()
        return write(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(submit, "FIRST_LINES", 2)
    monkeypatch.setattr(submit._BatchWriter, "write", eventful)


def test_a_validated_batch_has_its_requests_once_and_belongs_to_its_key(tenant: Tenant, store: Store) -> None:
    row = tenant.create(lines=5)
    assert tenant.validator.take_one()
    assert not tenant.validator.take_one()
    with store.read() as connection:
        stored = batches.find(connection, row["id"])
    assert (stored["total"], stored["owner"], stored["status"]) == (5, tenant.key.id, "in_progress")
    assert tenant.row(row["id"])["state"] == "running"


def test_a_submission_that_broke_off_goes_on_where_it_stopped(
    tenant: Tenant, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = tenant.create(lines=7)

    def dies() -> None:
        raise ConnectionError

    _before_the_second_slice(monkeypatch, dies)
    with pytest.raises(ConnectionError):
        tenant.validator.take_one()
    assert not tenant.validator.take_one(), "its lease still holds"
    _expire_lease(store)
    assert tenant.validator.take_one()
    state = tenant.row(row["id"])
    assert (state["run_total"], state["run_invalid"], state["run_status"]) == (7, 0, "in_progress")


def test_two_processes_that_submit_the_same_batch_store_no_line_twice(
    tenant: Tenant, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = tenant.create(lines=9)

    def is_overtaken() -> None:  # the process was frozen: another one takes the batch over, and ends it
        _expire_lease(store)
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
        _expire_lease(store)
    assert tenant.validator.take_one()
    state = tenant.row(row["id"])
    assert (state["state"], state["errors"][0]["code"]) == ("failed", "internal_error")
    assert state["run_no"] is None


def test_a_batch_that_is_cancelled_before_its_requests_are_stored_never_has_any(
    tenant: Tenant, store: Store
) -> None:
    row = tenant.create()
    with store.write() as connection:
        claimed = validations.claim(connection, lease_s=60)
        ending.cancel(connection, tenant.row(row["id"]))
    assert claimed is not None
    tenant.validator._validate(claimed)
    state = tenant.row(row["id"])
    assert (state["state"], state["run_no"]) == ("cancelled", None)


def test_what_is_not_answered_in_time_ends_unpaid_as_expired(tenant: Tenant, store: Store) -> None:
    row = tenant.create(lines=6)
    tenant.validator.take_one()
    number = tenant.row(row["id"])["run_no"]
    requests = store_builders.held(store, number)
    store_builders.reserve(store, requests[:2])
    store_builders.settle(store, requests[:1], cost=30)
    with store.write() as connection:
        connection.execute(update(api_batch).values(expires_at=1))
    assert ending.expire_overdue(store) == 1
    assert ending.expire_overdue(store) == 0
    assert not ending.end_finished(store), "a call is in flight"
    store_builders.settle(store, requests[1:2], cost=30)
    assert ending.end_finished(store)
    state = tenant.row(row["id"])
    assert (state["state"], state["run_succeeded"], state["run_cancelled"]) == ("ended", 2, 4)
    assert state["run_spent"] == 60
    errors = b"".join(piece.data for piece in pieces(store, OutputFile(state, is_errors=True)))
    assert errors.count(b'"batch_expired"') == 4


def test_a_batch_that_expires_while_it_waits_has_no_files(tenant: Tenant, store: Store) -> None:
    row = tenant.create()
    with store.write() as connection:
        connection.execute(update(api_batch).values(expires_at=1))
    ending.expire_overdue(store)
    state = tenant.row(row["id"])
    assert (state["state"], state["run_no"], state["expired_at"] is None) == ("ended", None, False)
    assert not tenant.validator.take_one()


def test_lines_that_failed_are_sent_again_and_the_files_begin_anew(tenant: Tenant, store: Store) -> None:
    row = tenant.create(lines=4)
    tenant.validator.take_one()
    number = tenant.row(row["id"])["run_no"]
    requests = store_builders.held(store, number)
    store_builders.reserve(store, requests)
    store_builders.settle(store, requests[:2])
    store_builders.settle(store, requests[2:], next=store_builders.REFUSED)
    assert ending.end_finished(store)
    with store.write() as connection:
        assert control.retry(connection, row["id"], budget=None) == 2
    sweep.regroup(store)
    again = store_builders.held(store, number)
    store_builders.reserve(store, again)
    store_builders.settle(store, again)
    assert ending.end_finished(store)
    state = tenant.row(row["id"])
    output = b"".join(piece.data for piece in pieces(store, OutputFile(state, is_errors=False)))
    assert (state["measured"]["output"]["lines"], state["measured"]["errors"]["lines"]) == (4, 0)
    assert output.count(b"\n") == 4
    assert len(output) == state["measured"]["output"]["bytes"]


def test_duplicates_and_bad_lines_are_in_the_files_too(tenant: Tenant, store: Store) -> None:
    lines = [chat_line(number, prompt="same", model="small") for number in range(3)]
    file = tenant.upload([*lines, "{", chat_line(9, model="small")])
    row = tenant.create(file, metadata={"waybill_partial": "true"})
    tenant.validator.take_one()
    number = tenant.row(row["id"])["run_no"]
    requests = store_builders.held(store, number)
    assert len(requests) == 2
    store_builders.reserve(store, requests)
    store_builders.settle(store, requests[:1])
    failed = replace(store_builders.REFUSED, status_code=None, error_code="unreachable")
    assert isinstance(failed, RequestResult)
    store_builders.settle(store, requests[1:], next=failed)
    ending.end_finished(store)
    measured = tenant.row(row["id"])["measured"]
    assert (measured["output"]["lines"], measured["errors"]["lines"]) == (3, 2)


@pytest.mark.parametrize("content", ["{}", '[{"messages": []}]'])
def test_errors_do_not_speak_of_the_command_s_options(tenant: Tenant, store: Store, content: str) -> None:
    for partial in ("false", "true"):
        lines = [content, chat_line(1, model="small")] if partial == "true" else [content]
        row = tenant.create(tenant.upload(lines), metadata={"waybill_partial": partial})
        tenant.validator.take_one()
        with store.read() as connection:
            reasons = list(connection.execute(select(input_error.c.reason)).scalars())
        reasons += [error["message"] for error in tenant.row(row["id"])["errors"] or ()]
        assert reasons
        assert [reason for reason in reasons if "--" in reason or not reason] == []
