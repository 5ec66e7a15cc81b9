"""Chunks: one worker holds each, and a stale one changes nothing."""

import pytest
from sqlalchemy import select

from tasks.errors import StaleWork
from tasks.store import chunks, claims, decisions, sweep
from tasks.store.batch_options import BatchOptions
from tasks.store.engine import Store
from tasks.store.tables import chunk, decision, outbox
from tasks.store.values import RoutedRequest
from tests.support import store_builders
from tests.support.comparisons import assert_batch, assert_fields


def test_each_chunk_is_claimed_by_exactly_one_of_eight_workers(store: Store) -> None:
    batch_no = store_builders.submit(store, store_builders.lines(40), options=BatchOptions(group_size=1))
    with store.read() as connection:
        ids = [row.id for row in connection.execute(select(chunk.c.id).where(chunk.c.batch_no == batch_no))]

    def claim_all(worker: int) -> list[int]:
        mine = []
        for chunk_id in ids:
            with store.write() as connection:
                if claims.claim(connection, chunk_id, 0, stage="dispatch", owner=str(worker), lease_s=60):
                    mine.append(chunk_id)
        return mine

    claimed = [chunk_id for mine in store_builders.at_once(8, claim_all) for chunk_id in mine]
    assert sorted(claimed) == sorted(ids)


def test_a_repeated_message_finds_its_chunk_claimed(store: Store) -> None:
    batch_no = store_builders.submit(store, store_builders.lines(1))
    [held] = store_builders.claim(store, batch_no)
    with store.write() as connection:
        assert claims.claim(connection, held.id, 0, stage="dispatch", owner="other", lease_s=60) is None
        assert claims.claim(connection, held.id, 1, stage="dispatch", owner="other", lease_s=60) is None


def test_a_message_of_another_stage_finds_nothing(store: Store) -> None:
    batch_no = store_builders.submit(store, store_builders.lines(1, model=None))
    with store.write() as connection:
        [row] = connection.execute(select(chunk).where(chunk.c.batch_no == batch_no)).mappings()
        assert claims.claim(connection, row["id"], 0, stage="route", owner="w", lease_s=60) is None


def test_a_chunk_passes_from_embed_to_route_with_the_epoch_of_its_vectors(store: Store) -> None:
    batch_no = store_builders.submit(store, store_builders.lines(3, model=None))
    [embedding] = store_builders.claim(store, batch_no)
    with store.write() as connection:
        chunks.pass_on(connection, embedding, to_stage=chunks.ROUTE)
    [routing] = store_builders.claim(store, batch_no)
    assert_fields(routing, id=embedding.id, stage="route", vector_epoch=embedding.epoch)
    assert routing.epoch == embedding.epoch + 1


def test_a_stale_epoch_changes_nothing(store: Store) -> None:
    batch_no = store_builders.submit(store, store_builders.lines(3, model=None))
    [stale] = store_builders.claim(store, batch_no)
    with store.write() as connection:
        chunks.pass_on(connection, stale, to_stage=chunks.ROUTE)
    [current] = store_builders.claim(store, batch_no)
    routed = [RoutedRequest(stale.batch_no << 32 | 1, "small", None, "{}", "[]", None, False, "test")]
    with pytest.raises(StaleWork), store.write() as connection:
        chunks.pass_on(connection, stale, to_stage=chunks.ROUTE)
    with pytest.raises(StaleWork), store.write() as connection:
        decisions.record(connection, stale, routed)
    with store.read() as connection:
        assert connection.execute(select(decision)).first() is None
        [row] = connection.execute(select(chunk).where(chunk.c.batch_no == batch_no)).mappings()
    assert_fields(row, state="claimed", epoch=current.epoch, stage="route")


def test_only_the_holder_of_a_chunk_prolongs_its_lease(store: Store) -> None:
    batch_no = store_builders.submit(store, store_builders.lines(8))
    mine, other = store_builders.claim(store, batch_no, owner="me", lease_s=1)
    with store.write() as connection:
        chunks.close(connection, other)
        assert chunks.extend(connection, [mine.id, other.id], owner="me", lease_s=600) == {mine.id}
        assert chunks.extend(connection, [mine.id], owner="somebody", lease_s=600) == set()


def test_decisions_open_a_chunk_for_each_model_and_group(store: Store) -> None:
    batch_no = store_builders.submit(
        store, store_builders.lines(10, model=None), options=BatchOptions(group_size=4)
    )
    routing = store_builders.claim_for_routing(store, batch_no)
    routed = [
        RoutedRequest(
            batch_no << 32 | n, "large" if n > 6 else "small", "coding", "{}", "[]", 0.1, n == 1, "best"
        )
        for n in range(1, 11)
    ]
    with store.write() as connection:
        decisions.record(connection, routing, routed)
    with store.read() as connection:
        rows = connection.execute(select(chunk.c.queue, chunk.c.size).where(chunk.c.state == "queued")).all()
    assert sorted(map(tuple, rows)) == [("dispatch.large", 4), ("dispatch.small", 2), ("dispatch.small", 4)]
    assert_batch(store_builders.row(store, batch_no), fallbacks=1)


def test_the_outbox_row_commits_with_its_chunk_or_not_at_all(store: Store) -> None:
    class CrashError(Exception):
        pass

    batch_no = store_builders.submit(store, store_builders.lines(1))

    def open_and_crash() -> None:
        with store.write() as connection:
            chunks.open_chunks(connection, batch_no, [chunks.NewChunk("embed", [1])])
            raise CrashError

    with pytest.raises(CrashError):
        open_and_crash()
    with store.read() as connection:
        announced = {row.chunk_id for row in connection.execute(select(outbox.c.chunk_id))}
        existing = {row.id for row in connection.execute(select(chunk.c.id))}
    assert announced == existing
    assert len(existing) == 1


def test_a_reservation_that_its_worker_does_not_know_of_is_not_handed_back(store: Store) -> None:
    """The reply to the COMMIT was lost, and then the worker is stopped."""
    batch_no = store_builders.submit(store, store_builders.lines(3))
    requests = store_builders.held(store, batch_no)
    store_builders.reserve(store, requests[:1])
    with store.write() as connection:
        chunks.hand_back(connection, batch_no, [one.id for one in requests], owner="worker")
    assert store_builders.states(store, batch_no) == {"held": 1, "ready": 2}
    store_builders.expire_leases(store)
    sweep.expire(store)
    assert store_builders.states(store, batch_no) == {"ready": 3}
    assert_batch(store_builders.row(store, batch_no), reserved=0, spent=100)
