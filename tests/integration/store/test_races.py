"""Rules that matter in races only, each tested without chance."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import Connection, insert, select
from sqlalchemy.exc import IntegrityError

from tasks.store import batches, chunks, claims, outcomes, sweep
from tasks.store.engine import Store
from tasks.store.tables import attempt, outcome, request
from tests.support import store_builders


def _again(store: Store, table: Any, **changed: object) -> None:
    """Insert a copy of a row."""
    with store.write() as connection:
        row = dict(connection.execute(select(table).limit(1)).mappings().one())
        connection.execute(insert(table).values(**row | changed))


def test_the_database_itself_refuses_a_second_outcome_of_a_request(store: Store) -> None:
    batch_no = store_builders.submit(store, store_builders.lines(1))
    requests = store_builders.held(store, batch_no)
    store_builders.reserve(store, requests)
    store_builders.settle(store, requests)
    with pytest.raises(IntegrityError):
        _again(store, outcome, status="failed")


def test_the_database_itself_refuses_a_second_attempt_of_the_same_number(store: Store) -> None:
    batch_no = store_builders.submit(store, store_builders.lines(1))
    store_builders.reserve(store, store_builders.held(store, batch_no))
    with pytest.raises(IntegrityError):
        _again(store, attempt, state="succeeded")


def test_the_database_itself_refuses_a_custom_id_that_is_there(store: Store) -> None:
    store_builders.submit(store, store_builders.lines(1))
    with pytest.raises(IntegrityError):
        _again(store, request, id=5)


def test_a_request_that_is_ended_twice_is_counted_once(store: Store) -> None:
    batch_no = store_builders.submit(store, store_builders.lines(2))
    [one, _] = store_builders.held(store, batch_no)
    for end in (store_builders.ANSWER, store_builders.REFUSED):
        with store.write() as connection:
            outcomes.finish(connection, batch_no, [store_builders.without_call(one, end)])
    assert store_builders.outcomes(store, batch_no) == {1: "succeeded"}
    store_builders.check_ledger(store, batch_no)


def test_a_message_from_before_a_postponement_finds_nothing(store: Store) -> None:
    batch_no = store_builders.submit(store, store_builders.lines(1))
    [held] = store_builders.claim(store, batch_no)
    with store.write() as connection:
        chunks.postpone(connection, held, after_s=0)
        assert claims.claim(connection, held.id, 0, stage="dispatch", owner="late", lease_s=60) is None
        assert claims.claim(connection, held.id, 1, stage="dispatch", owner="new", lease_s=60) is not None


def test_a_lease_that_is_renewed_between_the_sweepers_look_and_its_lock_is_kept(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch_no = store_builders.submit(store, store_builders.lines(1))
    [held] = store_builders.claim(store, batch_no)
    store_builders.expire_leases(store)
    lock = batches.try_lock

    def renewed_meanwhile(connection: Connection, number: int) -> Any:
        row = lock(connection, number)
        chunks.extend(connection, [held.id], owner="worker", lease_s=60)
        return row

    monkeypatch.setattr(batches, "try_lock", renewed_meanwhile)
    sweep.expire(store)
    assert store_builders.states(store, batch_no) == {"held": 1}


def test_a_failed_stage_takes_nothing_from_the_worker_that_has_the_chunk_now(store: Store) -> None:
    batch_no = store_builders.submit(store, store_builders.lines(1, model=None))
    [stale] = store_builders.claim(store, batch_no)
    with store.write() as connection:
        chunks.pass_on(connection, stale, to_stage=chunks.ROUTE)
    store_builders.claim(store, batch_no, owner="other")
    sweep.hand_back(store, stale, reason="the embed stage failed")
    assert store_builders.states(store, batch_no) == {"held": 1}
