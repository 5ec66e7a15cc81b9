"""How batches of the API end: expired, sent again, beside others, and with which files."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import RowMapping, select, update

from tasks.batch_api import ending
from tasks.batch_api.output import OutputFile, pieces
from tasks.store import control, sweep
from tasks.store.api.tables import api_batch
from tasks.store.engine import Store
from tasks.store.values import RequestResult
from tests.support import store_builders
from tests.support.api import chat_line
from tests.support.tenants import Tenant
from tests.support.waiting import wait_until
from workers.api.batches.objects import status_of


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


def test_a_small_batch_ends_beside_a_large_one(tenant: Tenant, store: Store) -> None:
    rows = [tenant.create(lines=lines) for lines in (20, 2)]
    for row in rows:
        tenant.validator.take_one()
        requests = store_builders.held(store, tenant.row(row["id"])["run_no"])
        store_builders.reserve(store, requests)
        store_builders.settle(store, requests)
    assert [ending.end_finished(store, max_bytes=1_000) for _ in range(2)] == [True, False]
    assert [status_of(tenant.row(row["id"])) for row in rows] == ["finalizing", "completed"]
    assert ending.end_finished(store)


def test_an_expired_batch_whose_lines_are_sent_again_has_as_much_time_as_before(
    tenant: Tenant, store: Store
) -> None:
    row = tenant.create(lines=2, completion_window="2h")
    tenant.validator.take_one()
    with store.write() as connection:
        shift = api_batch.c.created_at - 7_201_000
        connection.execute(update(api_batch).values(created_at=shift, expires_at=shift + 7_200_000))
    assert ending.expire_overdue(store) == 1
    assert ending.end_finished(store)
    began = time.time()
    with store.write() as connection:
        assert control.retry(connection, row["id"], budget=None) == 2
    assert ending.expire_overdue(store) == 0
    until = tenant.row(row["id"])["expires_at"] / 1000
    assert began + 7_199 < until < time.time() + 7_201


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


def test_a_batch_whose_files_take_long_to_measure_is_not_taken_by_another_server(
    tenant: Tenant, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = tenant.create(lines=1)
    tenant.validator.take_one()
    requests = store_builders.held(store, tenant.row(row["id"])["run_no"])
    store_builders.reserve(store, requests)
    store_builders.settle(store, requests)
    measure = ending.measure

    def slow(store: Store, row: RowMapping) -> dict[str, Any]:
        wait_until(lambda: _lease_until(store) > row["lease_until"], timeout_s=60)
        assert not ending.end_finished(store)
        return measure(store, row)

    monkeypatch.setattr(ending, "MEASURE_S", 3.0)
    monkeypatch.setattr(ending, "measure", slow)
    assert ending.end_finished(store)


def _lease_until(store: Store) -> int:
    with store.read() as connection:
        return connection.execute(select(api_batch.c.lease_until)).scalar_one()
