"""Which chunk is claimed at a message: that of the batch whose turn it is."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import Connection, select, update

from tasks.stages.fair_claims import FairClaims
from tasks.store import chunks, isolation, turns
from tasks.store.claims import claim
from tasks.store.engine import Store
from tasks.store.tables import batch, chunk
from tests.support import store_builders
from tests.support.stores import POSTGRESQL_ONLY

SMALL_GROUPS = replace(store_builders.OPTIONS, group_size=2)


def messages(store: Store, batch_no: int) -> list[tuple[int, int]]:
    with store.read() as connection:
        query = select(chunk.c.id, chunk.c.epoch).where(chunk.c.batch_no == batch_no).order_by(chunk.c.id)
        return list(connection.execute(query))


def submit(store: Store, lines: int, *, priority: str = "normal") -> int:
    options = replace(SMALL_GROUPS, priority=priority)
    return store_builders.submit(store, store_builders.lines(lines), options=options)


def claimed(claims: FairClaims, heard: list[tuple[int, int]]) -> list[int]:
    """The batches of the chunks that are claimed at these messages."""
    held = [claims.claim(*message, stage=chunks.DISPATCH) for message in heard]
    return [one.batch_no for one in held if one is not None]


def test_a_small_batch_does_not_wait_for_the_messages_of_a_large_one(store: Store) -> None:
    large = submit(store, 20)
    claims = FairClaims(store, "worker", 60)
    before = messages(store, large)
    assert claimed(claims, before[:3]) == [large] * 3
    small = submit(store, 4)
    order = claimed(claims, [*before[3:], *messages(store, small)])
    assert order == [small, large, small, *[large] * 6]


def test_alone_a_batch_s_messages_claim_their_own_chunks_once(store: Store) -> None:
    batch_no = submit(store, 8)
    claims, heard = FairClaims(store, "worker", 60), messages(store, batch_no)
    held = [claims.claim(*message, stage=chunks.DISPATCH) for message in (heard[2], heard[0])]
    assert [one.id for one in held if one] == [heard[2][0], heard[0][0]]
    assert claims.claim(heard[2][0], 1, stage=chunks.ROUTE) is None
    # A message that comes twice wakes the worker for another chunk, and for none when there is none.
    assert len(claimed(claims, [heard[2]] * 5)) == 2


def test_a_batch_of_a_newer_waybill_takes_no_turns(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    isolation.report.cache_clear()  # on the other store it may have been logged
    newer, other = submit(store, 8), submit(store, 8)
    with store.write() as connection:
        in_another_form = {"models": {"small": {}}, "group_size": 2, "validators": None}
        mine = update(batch).where(batch.c.no == newer)
        connection.execute(mine.values(options=in_another_form))
    heard = [*messages(store, newer), *messages(store, other)]
    assert claimed(FairClaims(store, "worker", 60), heard) == [other] * 4
    assert caplog.messages == [f"batch {newer} is passed over: UnreadableOptions"]
    with store.write() as connection:
        connection.execute(mine.values(options={"group_size": 2}))
    assert claimed(FairClaims(store, "an upgraded worker", 60), heard) == [newer] * 4


def test_a_batch_of_high_priority_is_claimed_four_times_as_often_as_a_normal_one(store: Store) -> None:
    normal, high = submit(store, 40), submit(store, 40, priority="high")
    heard = messages(store, normal)
    order = claimed(FairClaims(store, "worker", 60), heard[:15])
    assert order.count(high) == 12
    assert order[0] == normal


def test_the_batches_of_one_key_share_the_part_of_one(store: Store) -> None:
    numbers = [submit(store, 40) for _ in range(4)]
    with store.write() as connection:
        mine = batch.c.no.in_(numbers[:3])
        connection.execute(update(batch).where(mine).values(owner="key-a"))
        connection.execute(update(batch).where(batch.c.no == numbers[3]).values(owner="key-b"))
    order = claimed(FairClaims(store, "worker", 60), messages(store, numbers[0])[:18])
    assert order.count(numbers[3]) in (8, 9, 10)
    assert max(map(order.count, numbers[:3])) - min(map(order.count, numbers[:3])) <= 1


def test_workers_that_are_woken_together_claim_different_chunks(store: Store) -> None:
    large, small = submit(store, 20), submit(store, 8)
    heard = messages(store, large)
    others = [FairClaims(store, f"worker-{n}", 60) for n in range(4)]
    for claims in others:
        claims.claim(*heard.pop(), stage=chunks.DISPATCH)
    found = store_builders.at_once(4, lambda n: others[n].claim(*heard[n], stage=chunks.DISPATCH))
    assert sorted(one.batch_no for one in found if one) == [small] * 4
    assert len({one.id for one in found if one}) == 4


def test_a_message_whose_chunk_is_in_the_next_stage_by_now_is_for_another(store: Store) -> None:
    options = replace(store_builders.OPTIONS, embed=True, chunk_size=2)
    large, small = (
        store_builders.submit(store, store_builders.lines(count, model=None), options=options)
        for count in (8, 2)
    )
    claims, heard = FairClaims(store, "worker", 60), [*messages(store, large), *messages(store, small)]
    order = []
    for message in heard:
        held = claims.claim(*message, stage=chunks.EMBED)
        assert held is not None
        order.append(held.batch_no)
        with store.write() as connection:
            chunks.pass_on(connection, held, to_stage=chunks.ROUTE)
    assert order == [large, small, large, large, large]


@POSTGRESQL_ONLY  # claims on SQLite come one after the other
def test_a_worker_that_others_are_faster_than_looks_further_and_claims_something(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each time that it has read which chunks are the oldest, others claim four of them."""
    small, large = submit(store, 2), submit(store, 200)
    [heard] = messages(store, small)
    claims, first = FairClaims(store, "worker", 60), turns.first
    claims.claim(*heard, stage=chunks.DISPATCH)

    def overtaken(connection: Connection, queue: str, batch_no: int, *, limit: int) -> list[tuple[int, int]]:
        found = first(connection, queue, batch_no, limit=limit)
        for one in found[:4]:
            with store.write() as other:
                claim(other, *one, stage=chunks.DISPATCH, owner="another", lease_s=60)
        return found

    monkeypatch.setattr(turns, "first", overtaken)
    held = claims.claim(*heard, stage=chunks.DISPATCH)
    assert held is not None
    assert held.batch_no == large
