"""Poison chunks: work that always fails ends after a few attempts with its reason, and harms no other."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import select

from tasks.settings import ModelSettings, RouterSettings, Settings
from tasks.stages.chunk_lease import StageFailed
from tasks.stages.context import WorkerContext
from tasks.stages.route import route_chunk
from tasks.store import chunks, claims, sweep
from tasks.store.engine import Store
from tasks.store.tables import chunk, outcome
from tests.support import store_builders
from tests.support.comparisons import assert_batch

MODELS = tuple(
    ModelSettings(name=name, litellm=f"openai/{name}", input_price=1, output_price=2)
    for name in ("small", "large")
)


def test_an_artefact_that_does_not_load_kills_its_requests_after_three_tries_and_no_others(
    store: Store, tmp_path: Path
) -> None:
    (tmp_path / "manifest.json").write_text('{"format": 1, "canary": "CANARY"}')
    settings = Settings(models=MODELS, router=RouterSettings(path=tmp_path))
    context = WorkerContext(settings)
    context.__dict__["store"] = store
    batch_no = store_builders.submit(
        store,
        [store_builders.line(1, model=None), store_builders.line(2, model=None), store_builders.line(3)],
    )
    for _ in range(sweep.MAX_LOSSES):
        for waiting in _pass_embed(store, batch_no):
            with pytest.raises(StageFailed, match=r"route of chunk \d+: \w+Error$"):
                route_chunk(context, waiting, _epoch(store, waiting))
        sweep.regroup(store)
    assert store_builders.outcomes(store, batch_no) == {1: "failed", 2: "failed"}
    with store.read() as connection:
        found = connection.execute(select(outcome.c.error_code, outcome.c.error_message)).all()
    assert {code for code, _ in found} == {"stage_failed"}
    reasons = [reason for _, reason in found]
    assert [reason for reason in reasons if "route stage failed: " not in reason or "CANARY" in reason] == []
    named = store_builders.held(store, batch_no)
    assert store_builders.reserve(store, named).granted
    store_builders.settle(store, named)
    assert_batch(store_builders.row(store, batch_no), status="completed")


def _pass_embed(store: Store, batch_no: int) -> list[int]:
    """The embed stage did its part; returns the chunks that wait for routing."""
    for held in [one for one in _claim(store, batch_no, chunks.EMBED) if one is not None]:
        with store.write() as connection:
            chunks.pass_on(connection, held, to_stage=chunks.ROUTE)
    query = select(chunk.c.id).where(chunk.c.stage == chunks.ROUTE, chunk.c.state == "queued")
    with store.read() as connection:
        return list(connection.execute(query).scalars())


def _claim(store: Store, batch_no: int, stage: str) -> list[chunks.HeldChunk | None]:
    waiting = select(chunk.c.id, chunk.c.epoch).where(
        chunk.c.batch_no == batch_no, chunk.c.stage == stage, chunk.c.state == "queued"
    )
    with store.read() as connection:
        rows = connection.execute(waiting).all()
    held = []
    for row in rows:
        with store.write() as connection:
            held.append(claims.claim(connection, row.id, row.epoch, stage=stage, owner="w", lease_s=60))
    return held


def _epoch(store: Store, chunk_id: int) -> int:
    with store.read() as connection:
        return int(connection.execute(select(chunk.c.epoch).where(chunk.c.id == chunk_id)).scalar_one())
