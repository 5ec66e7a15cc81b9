"""Judge workers that die, sleep or fail, and runs that are cancelled or announced meanwhile."""

from __future__ import annotations

from collections import Counter

import pytest
from sqlalchemy import select

from tasks.errors import StaleWork
from tasks.learning import judging, labels
from tasks.stages.chunk_lease import StageFailed
from tasks.stages.context import WorkerContext
from tasks.store import chunks, control, sweep
from tasks.store.learning import judge_runs
from tasks.store.tables import chunk, outbox
from tests.support import store_builders
from tests.support.comparisons import assert_batch
from tests.support.judging import begin, finish, judge_chunks, verdicts
from tests.support.stores import SQLITE_ONLY


def test_a_worker_that_dies_before_it_wrote_leaves_the_same_calls_to_the_next(
    context: WorkerContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, number = begin(context)
    with monkeypatch.context() as patch:
        patch.setattr(judge_runs, "advance", _die)
        with pytest.raises(KeyboardInterrupt):
            judge_chunks(context, number)
    assert verdicts(context.store) == Counter()
    store_builders.expire_leases(context.store)
    sweep.expire(context.store)
    assert judge_chunks(context, number) == 1
    calls = finish(context, number)
    assert_batch(store_builders.row(context.store, number), calls=calls)
    assert {call: times for call, times in verdicts(context.store).items() if times != 1} == {}


def _die(*_: object, **__: object) -> None:
    raise KeyboardInterrupt  # not an Exception: nobody handles it, as with SIGKILL


def test_a_worker_that_slept_through_its_lease_changes_nothing(context: WorkerContext) -> None:
    _, number = begin(context)
    (held,) = store_builders.claim(context.store, number)
    store_builders.expire_leases(context.store)
    sweep.expire(context.store)
    judge_chunks(context, number)
    before = verdicts(context.store)
    with pytest.raises(StaleWork), context.store.write() as connection:
        judge_runs.advance(connection, held, [], [], after_s=1)
    assert verdicts(context.store) == before


@SQLITE_ONLY
def test_prompts_whose_workers_die_again_and_again_fail(context: WorkerContext) -> None:
    batch_id, number = begin(context)
    for _ in range(judge_runs.MAX_LOSSES):
        assert store_builders.claim(context.store, number)
        store_builders.expire_leases(context.store)
        sweep.expire(context.store)
    assert judging.summary(context.store, batch_id).prompts == {"failed": 3}
    assert_batch(store_builders.row(context.store, number), status="completed")


@SQLITE_ONLY
def test_a_stage_that_failed_is_repeated_and_its_error_quotes_no_text(
    context: WorkerContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, number = begin(context)

    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("an answer worth 3")

    with monkeypatch.context() as patch:
        patch.setattr("tasks.stages.judging.stage.judge_body", fail)
        with pytest.raises(StageFailed, match="RuntimeError") as caught:
            judge_chunks(context, number)
    assert "worth" not in str(caught.value)
    assert judge_chunks(context, number) == 1


def test_a_cancelled_run_makes_no_more_calls(context: WorkerContext) -> None:
    batch_id, number = begin(context)
    judge_chunks(context, number)
    (held,) = store_builders.claim(context.store, number, stage=chunks.JUDGE)
    with context.store.write() as connection:
        control.cancel(connection, batch_id)
    with context.store.write() as connection:
        judge_runs.advance(connection, held, [], [], after_s=1)
    assert_batch(store_builders.row(context.store, number), status="cancelled")
    assert judge_chunks(context, number) == 0
    finish(context, begin(context)[1])
    assert len(list(labels.export(context.store))) == 3


@SQLITE_ONLY
def test_a_run_is_announced_like_any_chunk(context: WorkerContext) -> None:
    _, number = begin(context)
    with context.store.read() as connection:
        queues = select(outbox.c.queue).join(chunk, chunk.c.id == outbox.c.chunk_id)
        assert set(connection.execute(queues.where(chunk.c.batch_no == number)).scalars()) == {"judge"}
    judge_chunks(context, number)
    with context.store.read() as connection:
        queues = select(outbox.c.queue, outbox.c.available_at).join(chunk, chunk.c.id == outbox.c.chunk_id)
        later = [
            row for row in connection.execute(queues.where(chunk.c.stage == "judge")) if row.available_at
        ]
    assert len(later) > 0, "it is announced again later"
