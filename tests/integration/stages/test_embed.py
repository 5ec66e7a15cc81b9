"""The embed stage does not run ahead of the route workers."""

from __future__ import annotations

import pytest
from sqlalchemy import delete

from tasks.stages import embed
from tasks.store import chunks
from tasks.store.engine import Store
from tasks.store.tables import chunk
from tests.support import store_builders


def test_embedding_waits_until_route_workers_have_caught_up(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch_no = store_builders.submit(store, store_builders.lines(1))
    with store.write() as connection:
        groups = [chunks.NewChunk(chunks.ROUTE, [])] * embed.MAX_WAITING_CHUNKS
        first = chunks.open_chunks(connection, batch_no, groups)[0]
    slept: list[float] = []

    def a_route_worker_takes_one(seconds: float) -> None:
        slept.append(seconds)
        with store.write() as connection:
            connection.execute(delete(chunk).where(chunk.c.id == first))

    monkeypatch.setattr(embed.time, "sleep", a_route_worker_takes_one)
    embed.wait_for_route_stage(store)
    assert len(slept) == 1
    embed.wait_for_route_stage(store)
    assert len(slept) == 1


def test_embedding_goes_on_slowly_where_nobody_routes(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    batch_no = store_builders.submit(store, store_builders.lines(1))
    with store.write() as connection:
        chunks.open_chunks(
            connection, batch_no, [chunks.NewChunk(chunks.ROUTE, [])] * embed.MAX_WAITING_CHUNKS
        )
    monkeypatch.setattr(embed, "MAX_WAIT_S", 0.3)
    embed.wait_for_route_stage(store)
