"""Intake: what a slice of lines becomes."""

import pytest
from sqlalchemy import insert, select
from sqlalchemy.exc import SQLAlchemyError

from tasks.errors import UsageError
from tasks.formats.requests import InputError
from tasks.store import batches, control, intake
from tasks.store.engine import Store
from tasks.store.tables import request
from tasks.store.values import BatchOptions
from tests.support import work

SAME = '{"messages":["same"]}'


def _same(*numbers: int) -> list[work.ParsedRequest]:
    return [work.line(number, body=SAME) for number in numbers]


def _open(store: Store, options: BatchOptions = work.OPTIONS) -> int:
    with store.write() as connection:
        return int(batches.create(connection, source="test", options=options, budget=None)["no"])


def _take(store: Store, batch_no: int, items: list[work.ParsedRequest]) -> list[InputError]:
    with store.write() as connection:
        return intake.take_in(connection, batch_no, work.OPTIONS, items)


def test_duplicates_share_one_call_and_each_has_its_outcome(store: Store) -> None:
    batch_no = work.submit(store, [*_same(1, 2), work.line(3), *_same(4)])
    requests = work.held(store, batch_no)
    assert len(requests) == 2
    work.reserve(store, requests)
    work.settle(store, requests)
    assert work.outcomes(store, batch_no) == dict.fromkeys(range(1, 5), "succeeded")
    row = work.row(store, batch_no)
    assert (row["duplicates"], row["calls"], row["spent"], row["status"]) == (2, 2, 60, "completed")
    work.check_books(store, batch_no)


def test_duplicates_fail_with_their_original(store: Store) -> None:
    batch_no = work.submit(store, _same(1, 2))
    requests = work.held(store, batch_no)
    work.reserve(store, requests)
    work.settle(store, requests, next=work.REFUSED)
    assert work.outcomes(store, batch_no) == {1: "failed", 2: "failed"}
    work.check_books(store, batch_no)


def test_a_duplicate_of_a_request_that_has_ended_already_ends_at_once(store: Store) -> None:
    batch_no = _open(store)
    _take(store, batch_no, _same(1))
    requests = work.held(store, batch_no)
    work.reserve(store, requests)
    work.settle(store, requests)
    assert work.row(store, batch_no)["status"] == "ingesting"
    _take(store, batch_no, _same(2, 3))
    with store.write() as connection:
        intake.finish(connection, batch_no)
    assert work.outcomes(store, batch_no) == dict.fromkeys((1, 2, 3), "succeeded")
    assert work.row(store, batch_no)["status"] == "completed"
    work.check_books(store, batch_no)


def test_without_dedupe_every_request_is_called(store: Store) -> None:
    options = BatchOptions(dedupe=False)
    batch_no = work.submit(store, _same(1, 2, 3), options=options)
    assert len(work.held(store, batch_no)) == 3


def test_the_same_prompt_for_another_model_is_no_duplicate(store: Store) -> None:
    items = [
        work.line(1, body=SAME),
        work.line(2, body=SAME, model="large"),
        work.line(3, body=SAME, model=None),
    ]
    assert work.row(store, work.submit(store, items))["duplicates"] == 0


def test_a_custom_id_that_was_used_before_is_reported_with_its_line(store: Store) -> None:
    batch_no = _open(store)
    _take(store, batch_no, [work.line(1, custom_id="a")])
    errors = _take(
        store,
        batch_no,
        [work.line(2, custom_id="b"), work.line(3, custom_id="b"), work.line(4, custom_id="a")],
    )
    assert [(e.line, e.code, e.custom_id) for e in errors] == [
        (3, "duplicate_custom_id", "b"),
        (4, "duplicate_custom_id", "a"),
    ]
    with store.read() as connection:
        assert list(intake.errors_of(connection, batch_no)) == errors
    row = work.row(store, batch_no)
    assert (row["total"], row["invalid"], row["lines_read"]) == (2, 2, 4)


def test_named_models_go_straight_to_their_queue_and_the_rest_is_embedded(store: Store) -> None:
    batch_no = work.submit(store, [work.line(1), work.line(2, model=None), work.line(3, model="large")])
    assert sorted(held.queue for held in work.claim(store, batch_no)) == [
        "dispatch.large",
        "dispatch.small",
        "embed",
    ]


def test_without_vectors_requests_start_at_routing(store: Store) -> None:
    batch_no = work.submit(store, work.lines(3, model=None), options=BatchOptions(embed=False, chunk_size=2))
    assert [held.queue for held in work.claim(store, batch_no)] == ["route", "route"]


def test_a_batch_whose_lines_are_all_done_still_waits_for_the_rest_of_its_file(store: Store) -> None:
    batch_no = _open(store)
    _take(store, batch_no, [work.line(1)])
    requests = work.held(store, batch_no)
    work.reserve(store, requests)
    work.settle(store, requests)
    assert work.row(store, batch_no)["status"] == "ingesting"


def test_a_cancelled_batch_takes_no_more_lines(store: Store) -> None:
    batch_no = _open(store)
    _take(store, batch_no, [work.line(1)])
    with store.write() as connection:
        control.cancel(connection, work.row(store, batch_no)["id"])
    with pytest.raises(UsageError, match="is cancelled: it takes no more requests"):
        _take(store, batch_no, [work.line(2)])


def test_the_store_s_errors_quote_no_prompt(store: Store) -> None:
    batch_no = work.submit(store, [work.line(1, body="CANARY-prompt")])
    with store.read() as connection:
        row = dict(connection.execute(select(request)).mappings().one())
    with pytest.raises(SQLAlchemyError) as caught, store.write() as connection:
        connection.execute(insert(request).values(**row))
    assert "INSERT INTO request" in str(caught.value)
    assert "CANARY" not in str(caught.value)
    assert work.row(store, batch_no)["total"] == 1
