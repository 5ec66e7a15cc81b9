"""The validation of files, by processes that die and by several at once."""

from __future__ import annotations

import gzip
import itertools
import time
from collections.abc import Callable
from dataclasses import replace

import pytest
from sqlalchemy import RowMapping, select, update

from tasks.batch_api import ending
from tasks.batch_api.output import OutputFile, pieces
from tasks.errors import UsageError
from tasks.store import batches, control, progress, steering, sweep
from tasks.store.api import validations
from tasks.store.api.tables import api_batch, api_file, webhook_event
from tasks.store.batch_options import BatchOptions
from tasks.store.engine import Store
from tasks.store.tables import input_error, request
from tasks.store.values import RequestResult
from tasks.submission import submit
from tasks.submission.batch_writer import BatchWriter
from tests.support import store_builders
from tests.support.api import chat_line
from tests.support.comparisons import assert_fields
from tests.support.tenants import Tenant
from workers.api.batches.objects import status_of


def _expire_lease(store: Store) -> None:
    with store.write() as connection:
        connection.execute(update(api_batch).values(lease_until=1))


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


def test_a_validated_batch_has_its_requests_once_and_belongs_to_its_key(tenant: Tenant, store: Store) -> None:
    row = tenant.create(lines=5)
    assert tenant.validator.take_one()
    assert not tenant.validator.take_one()
    with store.read() as connection:
        stored = batches.find(connection, row["id"])
    assert (stored["total"], stored["owner"], stored["status"]) == (5, tenant.key.id, "in_progress")
    assert tenant.row(row["id"])["state"] == "running"


@pytest.mark.parametrize("other", ["large", "nowhere"])
def test_a_line_for_a_model_that_is_not_the_key_s_is_told_which_are(
    new_tenant: Callable[..., Tenant], other: str
) -> None:
    tenant = new_tenant(models=("small",))
    [small] = tenant.settings.models
    models = (small, small.model_copy(update={"name": "large"}))
    tenant = replace(tenant, settings=tenant.settings.model_copy(update={"models": models}))
    row = tenant.create(tenant.upload([chat_line(1, model="small"), chat_line(2, model=other)]))
    assert tenant.validator.take_one()
    [error] = tenant.row(row["id"])["errors"]
    assert error["code"] == "unknown_model"
    assert f"the model '{other}' is not among this key's models: small; " in error["message"]


def test_a_submission_that_broke_off_goes_on_where_it_stopped(
    tenant: Tenant, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = _broken_off(tenant, monkeypatch)
    assert not tenant.validator.take_one(), "its lease still holds"
    _expire_lease(store)
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
    _expire_lease(store)
    assert tenant.validator.take_one()
    assert tenant.row(batch_id)["run_total"] == 7


def test_a_batch_whose_stored_lines_are_not_those_of_its_file_ends(
    tenant: Tenant, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = _broken_off(tenant, monkeypatch)
    with store.write() as connection:
        connection.execute(update(request).where(request.c.line == 2).values(custom_id="other"))
    _expire_lease(store)
    assert tenant.validator.take_one()
    state = tenant.row(row["id"])
    assert "are not those that were stored" in str(state["errors"])
    assert state["run_status"] == "cancelled"


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


@pytest.mark.parametrize("partial", ["false", "true"])
def test_a_file_that_breaks_off_fails_before_any_of_its_requests_is_sent(
    tenant: Tenant, monkeypatch: pytest.MonkeyPatch, partial: str
) -> None:
    monkeypatch.setattr(submit, "FIRST_LINES", 2)
    lines = ["{", *(chat_line(number, prompt="x" * 9_000, model="small") for number in range(50))]
    whole = gzip.compress("\n".join(lines).encode(), compresslevel=0)
    marked = "\ufeff".encode("utf-16-le")
    broken = (
        whole[:-20_000],  # a part is missing
        whole[:200_000] + b"damage" + whole[200_006:],
        marked + "\n".join(lines).encode("utf-16-le")[:300_000] + b"\x00\xdc\x00\xdc",
    )
    for content in broken:
        row = tenant.create(tenant.upload_bytes(content), metadata={"waybill_partial": partial})
        assert tenant.validator.take_one()
        state = tenant.row(row["id"])
        assert (status_of(state), state["run_no"]) == ("failed", None)
        codes = [error["code"] for error in state["errors"]]
        assert codes == (["invalid_file"] if partial == "true" else ["invalid_json", "invalid_file"])


def test_a_file_that_cannot_be_read_now_is_read_later_and_is_no_fault_of_its_owner(
    tenant: Tenant, store: Store
) -> None:
    row = tenant.create(lines=3)
    with store.read() as connection:
        name = connection.execute(select(api_file.c.stored_as)).scalar_one()
    path = tenant.settings.home / "files" / name
    away = path.rename(path.with_name("away"))
    for wait_s in (15, 60):
        began = time.time()
        assert tenant.validator.take_one()
        assert status_of(tenant.row(row["id"])) == "validating"
        assert not tenant.validator.take_one()
        until = tenant.row(row["id"])["lease_until"] / 1000
        assert began + wait_s - 1 < until < time.time() + wait_s + 1
        _expire_lease(store)
    away.rename(path)
    assert tenant.validator.take_one()
    assert tenant.row(row["id"])["run_total"] == 3


def test_a_file_that_holds_more_than_could_be_uploaded_is_refused(tenant: Tenant) -> None:
    api = tenant.settings.api.model_copy(update={"max_upload_mb": 1.0, "max_file_mb": 0.5})
    small = replace(tenant, settings=tenant.settings.model_copy(update={"api": api}))
    for content in (b" " * (3 << 20), b"\n" * (3 << 20), b"x" * (3 << 20)):
        row = small.create(small.upload_bytes(gzip.compress(content)), metadata={"waybill_partial": "true"})
        assert small.validator.take_one()
        [error] = small.row(row["id"])["errors"]
        assert (error["code"], "holds more than" in error["message"]) == ("invalid_file", True)


def test_one_key_s_many_batches_hold_up_no_other_key_s(
    new_tenant: Callable[..., Tenant], store: Store
) -> None:
    mine, other = new_tenant("mine"), new_tenant("other")
    many = [mine.create(lines=1, metadata={"n": str(number)})["id"] for number in range(4)]
    one = other.create(lines=1)["id"]
    taken = []
    for _ in range(4):
        with store.write() as connection:
            claimed = validations.claim(connection, lease_s=60)
        assert claimed is not None
        taken.append(claimed["id"])
    assert taken == [many[0], one, *many[1:3]]


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


def test_a_batch_that_waits_is_cancelled_by_many_at_once(tenant: Tenant, store: Store) -> None:
    row = tenant.row(tenant.create()["id"])

    def cancel(_: int) -> None:
        with store.write() as connection:
            ending.cancel(connection, row)

    store_builders.at_once(5, cancel)
    assert status_of(tenant.row(row["id"])) == "cancelled"


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
