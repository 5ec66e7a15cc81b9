"""The deletion of prompts and answers: no column holds them any more, and the ledger is what it was."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, select, update

from router_core.data.prompt_hash import prompt_hash
from tasks.errors import UsageError
from tasks.learning import collection
from tasks.stages.dispatch.group_requests import reuse_answers
from tasks.store import batches, control, deletion, progress, results, reuse
from tasks.store.engine import Store
from tasks.store.learning import human_labels
from tasks.store.learning.human_labels import HumanPreference
from tasks.store.tables import attempt, batch, request
from tests.support import store_builders
from tests.support.deleting import ANSWER, BODY, MARK, answered_batch, columns_with_mark, delete


def test_no_text_is_left_and_the_ledger_stays(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deletion, "PAGE", 2)
    batch_id, number = answered_batch(store, 5)
    before = store_builders.row(store, number)
    calls = [store_builders.attempts(store, number, n) for n in range(1, 6)]
    assert columns_with_mark(store) == {
        "request.body", "outcome.body", "outcome.notes", "outcome.error_message", "attempt.answer",
        "input_error.reason",
    }  # fmt: skip
    assert delete(store, batch_id) == [number]
    assert columns_with_mark(store) == set()
    after = store_builders.row(store, number)
    changed = {name for name in after if after[name] != before[name]}
    assert changed == {"data_deleted_at", "data_cleared_to"}
    assert [store_builders.attempts(store, number, n) for n in range(1, 6)] == calls
    store_builders.check_ledger(store, number)
    with store.read() as connection:
        assert deletion.unfinished(connection) == []
        ids = connection.execute(select(request.c.custom_id).where(request.c.batch_no == number)).scalars()
        assert set(ids) == {f"id-{n}" for n in range(1, 7)}
        hashes = connection.execute(select(request.c.body_hash).where(request.c.batch_no == number)).scalars()
        assert {bytes(each) for each in hashes} == {b""}


def test_results_say_when_they_were_deleted_and_the_status_goes_on(store: Store) -> None:
    batch_id, _ = answered_batch(store)
    delete(store, batch_id)
    with store.read() as connection:
        state = progress.snapshot(connection, batch_id)
    assert state.data_deleted_at is not None
    assert state.succeeded == 3
    date = deletion.date_of(state.data_deleted_at)
    with pytest.raises(UsageError, match=f"{batch_id} were deleted on {date}"):
        list(results.iter_results(store, batch_id))
    with pytest.raises(UsageError, match="were deleted"), store.write() as connection:
        control.retry(connection, batch_id, budget=None)
    with pytest.raises(UsageError, match="were deleted"):
        list(collection.from_batch(store, batch_id))


def test_a_reader_in_the_middle_of_the_results_meets_the_deletion_and_no_empty_answer(store: Store) -> None:
    batch_id, _ = answered_batch(store)
    records = results.iter_results(store, batch_id, page=1)
    assert MARK in json.dumps(next(records).body)
    delete(store, batch_id)
    with pytest.raises(UsageError, match="were deleted"):
        list(records)


def test_a_running_batch_is_refused_and_keeps_its_data(store: Store) -> None:
    number = store_builders.submit(store, [store_builders.line(1, body=BODY)])
    batch_id = store_builders.row(store, number)["id"]
    with pytest.raises(UsageError, match=f"{batch_id} is in_progress"):
        delete(store, batch_id)
    assert columns_with_mark(store) == {"request.body"}
    with store.write() as connection:
        control.cancel(connection, batch_id)
    delete(store, batch_id)
    assert columns_with_mark(store) == set()


def test_a_batch_that_it_pays_for_goes_with_it_and_holds_it_up_while_it_runs(store: Store) -> None:
    batch_id, number = answered_batch(store)
    copy = store_builders.submit(store, [store_builders.line(1, body=BODY)], payer_no=number)
    with pytest.raises(UsageError, match="in_progress"):
        delete(store, batch_id)
    held = store_builders.held(store, copy)
    store_builders.reserve(store, held)
    store_builders.settle(store, held, next=ANSWER)
    assert delete(store, batch_id) == [number, copy]
    assert columns_with_mark(store) == set()


def test_a_deletion_that_broke_off_goes_on_where_it_was(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deletion, "PAGE", 2)
    batch_id, number = answered_batch(store, 5)
    with store.write() as connection:
        deletion.mark(connection, batch_id)
    stops = iter([False, True])
    deletion.clear(store, number, stop=lambda: next(stops))
    assert "request.body" in columns_with_mark(store)
    with store.read() as connection:
        assert deletion.unfinished(connection) == [number]
    deletion.clear(store, number)
    assert columns_with_mark(store) == set()


def test_pages_hold_the_lock_for_a_short_time_however_long_the_texts_are() -> None:
    assert deletion.next_page(16, deletion.PAGE_S / 10) == 32
    assert deletion.next_page(deletion.PAGE, 0.0) == deletion.PAGE
    assert deletion.next_page(100, deletion.PAGE_S * 0.8) == 100
    assert deletion.next_page(100, deletion.PAGE_S * 1.1) == 50
    assert deletion.next_page(1, 60.0) == 1


def test_nothing_is_reused_from_a_deleted_batch_not_even_before_its_texts_are_gone(store: Store) -> None:
    batch_id, _ = answered_batch(store)
    options = replace(store_builders.OPTIONS, reuse_s=60.0, reuse_any=True)

    def reused() -> int:
        number = store_builders.submit(
            store, [store_builders.line(1, body=BODY.replace("a prompt", "prompt 1"))], options=options
        )
        for one in store_builders.claim(store, number):
            reuse_answers(store, one, owner="worker")
        return int(store_builders.row(store, number)["reused"])

    assert reused() == 1
    with store.write() as connection:
        deletion.mark(connection, batch_id)
    assert reused() == 0


def test_nothing_is_taken_from_a_batch_that_is_deleted_between_the_look_and_the_taking(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch_id, _ = answered_batch(store)
    take = reuse.take

    def take_late(connection: Connection, *given: Any, **named: Any) -> None:
        deletion.mark(connection, batch_id)
        take(connection, *given, **named)

    monkeypatch.setattr(reuse, "take", take_late)
    options = replace(store_builders.OPTIONS, reuse_s=60.0, reuse_any=True)
    same = store_builders.line(1, body=BODY.replace("a prompt", "prompt 1"))
    number = store_builders.submit(store, [same], options=options)
    for one in store_builders.claim(store, number):
        reuse_answers(store, one, owner="worker")
    row = store_builders.row(store, number)
    assert (row["reused"], row["succeeded"], row["saved"]) == (0, 0, 0)


def test_the_texts_of_other_batches_and_what_people_have_of_them_stay(store: Store) -> None:
    batch_id, _ = answered_batch(store)
    answered_batch(store)
    text = f"of no batch, {MARK}"
    person = HumanPreference(
        prompt=text, prompt_hash=prompt_hash(text), pair=("large", "small"), value=1.0, annotator="ann"
    )
    with store.write() as connection:
        human_labels.add(connection, [person])
    before = columns_with_mark(store)
    assert before >= {"human_prompt.prompt", "input_error.reason", "request.body"}
    delete(store, batch_id)
    assert columns_with_mark(store) == before


def test_a_second_deletion_leaves_the_date_of_the_first(store: Store) -> None:
    batch_id, number = answered_batch(store)
    delete(store, batch_id)
    with store.write() as connection:
        mine = batch.c.no == number
        connection.execute(update(batch).where(mine).values(data_deleted_at=batch.c.data_deleted_at - 5))
    first = store_builders.row(store, number)["data_deleted_at"]
    assert delete(store, batch_id) == [number]
    assert store_builders.row(store, number)["data_deleted_at"] == first


def test_batches_expire_by_the_time_at_which_they_ended(store: Store) -> None:
    batch_id, number = answered_batch(store)
    store_builders.submit(store, store_builders.lines(1))
    with store.write() as connection:
        assert deletion.expired(connection, 1.0) == []
        connection.execute(
            update(batch).where(batch.c.no == number).values(finished_at=batch.c.finished_at - 90_000_000)
        )
        assert deletion.expired(connection, 1.0) == [batch_id]
        assert deletion.expired(connection, 2.0) == []
        deletion.mark(connection, batch_id)
        assert deletion.expired(connection, 1.0) == []


def test_sqlite_keeps_no_deleted_text_in_its_files(tmp_path: Path) -> None:
    from tasks.store.schema import ensure_schema

    store = Store(f"sqlite:///{tmp_path / 'waybill.db'}")
    ensure_schema(store)
    batch_id, _ = answered_batch(store, 20)
    assert any(MARK.encode() in file.read_bytes() for file in tmp_path.iterdir())
    delete(store, batch_id)
    with store.read() as connection:
        assert connection.execute(select(attempt.c.number)).first() is not None
        assert batches.find(connection, batch_id)["data_deleted_at"] is not None
    assert not any(MARK.encode() in file.read_bytes() for file in tmp_path.iterdir())
    store.close()
