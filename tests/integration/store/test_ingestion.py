"""Ingestion: lines become requests, duplicates, chunks and errors."""

import pytest
from sqlalchemy import insert, select
from sqlalchemy.exc import SQLAlchemyError

from tasks.errors import UsageError
from tasks.formats.requests import InputError
from tasks.store import batches, control, ingestion
from tasks.store.batch_options import BatchOptions
from tasks.store.engine import Store
from tasks.store.tables import request
from tests.support import store_builders
from tests.support.comparisons import assert_batch

SAME = '{"messages":["same"]}'


def _same(*numbers: int) -> list[store_builders.ParsedRequest]:
    return [store_builders.line(number, body=SAME) for number in numbers]


def _open(store: Store, options: BatchOptions = store_builders.OPTIONS) -> int:
    with store.write() as connection:
        return int(batches.create(connection, source="test", options=options, budget=None)["no"])


def _take(store: Store, batch_no: int, items: list[store_builders.ParsedRequest]) -> list[InputError]:
    with store.write() as connection:
        return ingestion.ingest(connection, batch_no, store_builders.OPTIONS, items)


def test_duplicates_share_one_call_and_each_has_its_outcome(store: Store) -> None:
    batch_no = store_builders.submit(store, [*_same(1, 2), store_builders.line(3), *_same(4)])
    requests = store_builders.held(store, batch_no)
    assert len(requests) == 2
    store_builders.reserve(store, requests)
    store_builders.settle(store, requests)
    assert store_builders.outcomes(store, batch_no) == dict.fromkeys(range(1, 5), "succeeded")
    row = store_builders.row(store, batch_no)
    assert_batch(row, duplicates=2, calls=2, spent=60, status="completed")
    store_builders.check_ledger(store, batch_no)


def test_duplicates_fail_with_their_original(store: Store) -> None:
    batch_no = store_builders.submit(store, _same(1, 2))
    requests = store_builders.held(store, batch_no)
    store_builders.reserve(store, requests)
    store_builders.settle(store, requests, next=store_builders.REFUSED)
    assert store_builders.outcomes(store, batch_no) == {1: "failed", 2: "failed"}
    store_builders.check_ledger(store, batch_no)


def test_a_duplicate_of_a_request_that_has_ended_already_ends_at_once(store: Store) -> None:
    batch_no = _open(store)
    _take(store, batch_no, _same(1))
    requests = store_builders.held(store, batch_no)
    store_builders.reserve(store, requests)
    store_builders.settle(store, requests)
    assert_batch(store_builders.row(store, batch_no), status="ingesting")
    _take(store, batch_no, _same(2, 3))
    with store.write() as connection:
        ingestion.finish(connection, batch_no)
    assert store_builders.outcomes(store, batch_no) == dict.fromkeys((1, 2, 3), "succeeded")
    assert_batch(store_builders.row(store, batch_no), status="completed")
    store_builders.check_ledger(store, batch_no)


def test_without_dedupe_every_request_is_called(store: Store) -> None:
    options = BatchOptions(dedupe=False)
    batch_no = store_builders.submit(store, _same(1, 2, 3), options=options)
    assert len(store_builders.held(store, batch_no)) == 3


def test_only_deterministic_duplicates_share_one_call_where_that_is_chosen(store: Store) -> None:
    options = BatchOptions(dedupe="deterministic")
    bodies = (SAME, SAME[:-1] + ',"temperature":0}', SAME[:-1] + ',"seed":1}', SAME[:-1] + ',"seed":null}')
    items = [store_builders.line(n + 1, body=bodies[n // 2]) for n in range(8)]
    batch_no = store_builders.submit(store, items, options=options)
    assert_batch(store_builders.row(store, batch_no), total=8, duplicates=2, random_duplicates=0)
    assert len(store_builders.held(store, batch_no)) == 6


def test_duplicates_that_share_a_random_answer_are_counted(store: Store) -> None:
    cold = [store_builders.line(n, body=SAME[:-1] + ',"temperature":0.0}') for n in (4, 5)]
    batch_no = store_builders.submit(store, [*_same(1, 2, 3), *cold])
    assert_batch(store_builders.row(store, batch_no), duplicates=3, random_duplicates=2)


def test_the_flag_that_older_versions_stored_is_understood() -> None:
    assert [BatchOptions.from_row({"dedupe": old}).dedupe for old in (True, False)] == ["all", "off"]


def test_the_same_prompt_for_another_model_is_no_duplicate(store: Store) -> None:
    items = [
        store_builders.line(1, body=SAME),
        store_builders.line(2, body=SAME, model="large"),
        store_builders.line(3, body=SAME, model=None),
    ]
    assert_batch(store_builders.row(store, store_builders.submit(store, items)), duplicates=0)


def test_a_custom_id_that_was_used_before_is_reported_with_its_line(store: Store) -> None:
    batch_no = _open(store)
    _take(store, batch_no, [store_builders.line(1, custom_id="a")])
    errors = _take(
        store,
        batch_no,
        [
            store_builders.line(2, custom_id="b"),
            store_builders.line(3, custom_id="b"),
            store_builders.line(4, custom_id="a"),
        ],
    )
    assert [(e.line, e.code, e.custom_id) for e in errors] == [
        (3, "duplicate_custom_id", "b"),
        (4, "duplicate_custom_id", "a"),
    ]
    with store.read() as connection:
        assert list(ingestion.errors_of(connection, batch_no)) == errors
    row = store_builders.row(store, batch_no)
    assert_batch(row, total=2, invalid=2, lines_read=4)


def test_named_models_go_straight_to_their_queue_and_the_rest_is_embedded(store: Store) -> None:
    batch_no = store_builders.submit(
        store,
        [store_builders.line(1), store_builders.line(2, model=None), store_builders.line(3, model="large")],
    )
    assert sorted(held.queue for held in store_builders.claim(store, batch_no)) == [
        "dispatch.large",
        "dispatch.small",
        "embed",
    ]


def test_without_vectors_requests_start_at_routing(store: Store) -> None:
    batch_no = store_builders.submit(
        store, store_builders.lines(3, model=None), options=BatchOptions(embed=False, chunk_size=2)
    )
    assert [held.queue for held in store_builders.claim(store, batch_no)] == ["route", "route"]


def test_a_batch_whose_lines_are_all_done_still_waits_for_the_rest_of_its_file(store: Store) -> None:
    batch_no = _open(store)
    _take(store, batch_no, [store_builders.line(1)])
    requests = store_builders.held(store, batch_no)
    store_builders.reserve(store, requests)
    store_builders.settle(store, requests)
    assert_batch(store_builders.row(store, batch_no), status="ingesting")


def test_a_cancelled_batch_takes_no_more_lines(store: Store) -> None:
    batch_no = _open(store)
    _take(store, batch_no, [store_builders.line(1)])
    with store.write() as connection:
        control.cancel(connection, store_builders.row(store, batch_no)["id"])
    with pytest.raises(UsageError, match="is cancelled: it takes no more requests"):
        _take(store, batch_no, [store_builders.line(2)])


def test_the_store_s_errors_quote_no_prompt(store: Store) -> None:
    batch_no = store_builders.submit(store, [store_builders.line(1, body="CANARY-prompt")])
    with store.read() as connection:
        row = dict(connection.execute(select(request)).mappings().one())
    with pytest.raises(SQLAlchemyError) as caught, store.write() as connection:
        connection.execute(insert(request).values(**row))
    assert "INSERT INTO request" in str(caught.value)
    assert "CANARY" not in str(caught.value)
    assert_batch(store_builders.row(store, batch_no), total=1)
