"""Exploration: drawn models, their propensities, and the other candidates' answers at the batch's expense."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from tasks.errors import UsageError
from tasks.learning import judging
from tasks.settings import Settings
from tasks.stages.context import WorkerContext
from tasks.stages.route import route_chunk
from tasks.store import control
from tasks.store.engine import Store
from tasks.store.learning import exploration
from tasks.store.learning.exploration import EXPLORATION
from tasks.store.tables import batch, chunk, decision
from tasks.submission import submit
from tasks.submission.options import options_for
from tasks.submission.source import from_items
from tests.support import learning, store_builders
from tests.support.comparisons import assert_batch, assert_fields
from tests.support.dispatch_harness import NoVectors
from tests.support.stores import SQLITE_ONLY

TEXTS = [f"What is the {n}th prime number, and why?" for n in range(40)]


@pytest.fixture
def context(store: Store, tmp_path: Path) -> WorkerContext:
    settings = learning.settings(tmp_path)
    redis = settings.redis.model_copy(update={"url": "redis://127.0.0.1:1/0"})
    made = WorkerContext(settings.model_copy(update={"redis": redis}))
    made.__dict__["store"] = store
    made.__dict__["vectors"] = NoVectors()
    return made


def submitted(
    store: Store, settings: Settings, *, budget: int | None = None, **options: Any
) -> tuple[str, int]:
    chosen = options_for(settings, **options)
    items = from_items(TEXTS, settings)
    batch_id = submit.submit(store, items, source="test", options=chosen, budget=budget)
    return batch_id, learning.batch_no(store, batch_id)


def route(context: WorkerContext, batch_no: int) -> None:
    with context.store.read() as connection:
        waiting = select(chunk.c.id, chunk.c.epoch).where(
            chunk.c.batch_no == batch_no, chunk.c.stage == "route"
        )
        rows = connection.execute(waiting).all()
    for row in rows:
        route_chunk(context, row.id, row.epoch)


def decisions_of(store: Store, batch_no: int) -> list[Any]:
    with store.read() as connection:
        query = select(decision).where(decision.c.batch_no == batch_no).order_by(decision.c.request_id)
        return list(connection.execute(query))


def exploration_batch(store: Store, batch_no: int) -> dict[str, Any]:
    with store.read() as connection:
        row = exploration.exploration_batch_of(connection, batch_no)
    assert row is not None
    return dict(row)


def test_a_share_is_drawn_and_answered_by_the_others_at_the_batchs_expense(
    store: Store, context: WorkerContext
) -> None:
    batch_id, number = submitted(store, context.settings, explore=0.3)
    route(context, number)
    rows = decisions_of(store, number)
    drawn = [row for row in rows if row.reason == EXPLORATION]
    assert 4 <= len(drawn) <= 22
    for row in rows:
        greedy = row.model == "large"  # all cost the same: the first by name
        assert row.propensity == pytest.approx(0.8 if greedy else 0.1)
        assert json.loads(row.ranking)[0] == row.model
    explored = exploration_batch(store, number)
    assert_fields(explored, purpose="collect", payer_no=number, total=2 * len(drawn))
    assert {len(found) for found in learning.samples(store).values()} == {3}

    learning.answer_all(store, batch_id)
    learning.answer_all(store, explored["id"])
    assert_batch(store_builders.row(store, number), status="completed")
    assert_batch(store_builders.row(store, explored["no"]), status="ingesting")
    exploration.close_finished(store)
    assert_batch(store_builders.row(store, explored["no"]), status="completed")
    for one in (number, explored["no"]):
        store_builders.check_ledger(store, one)
    run = judging.begin(store, context.settings, [batch_id], judges=["large"])
    assert run.prompts == len(drawn), "the answers of the exploration batch are judged"


@SQLITE_ONLY
def test_a_chunk_that_is_routed_again_draws_the_same(store: Store, context: WorkerContext) -> None:
    numbers = []
    for _ in range(2):
        _, number = submitted(store, context.settings, explore=0.5)
        numbers.append(number)
    route(context, numbers[0])
    before = [(row.request_id, row.model) for row in decisions_of(store, numbers[0])]
    route(context, numbers[0])
    assert [(row.request_id, row.model) for row in decisions_of(store, numbers[0])] == before
    assert exploration_batch(store, numbers[0])["total"] == 2 * sum(
        row.reason == EXPLORATION for row in decisions_of(store, numbers[0])
    )


@SQLITE_ONLY
def test_without_exploration_nothing_is_drawn_and_there_is_no_exploration_batch(
    store: Store, context: WorkerContext
) -> None:
    _, number = submitted(store, context.settings)
    route(context, number)
    assert {row.propensity for row in decisions_of(store, number)} == {None}
    with store.read() as connection:
        assert exploration.exploration_batch_of(connection, number) is None


@SQLITE_ONLY
def test_a_request_that_named_its_model_is_left_alone(store: Store, context: WorkerContext) -> None:
    items = from_items([{"prompt": text, "model": "small"} for text in TEXTS], context.settings)
    options = options_for(context.settings, explore=1.0)
    batch_id = submit.submit(store, items, source="test", options=options)
    rows = decisions_of(store, learning.batch_no(store, batch_id))
    assert {(row.model, row.reason) for row in rows} == {("small", "named_model")}


@SQLITE_ONLY
def test_only_routing_draws_and_logs_and_answers_nothing(store: Store, context: WorkerContext) -> None:
    _, number = submitted(store, context.settings, explore=1.0, route_only=True)
    route(context, number)
    propensities = {row.request_id: row.propensity for row in decisions_of(store, number)}
    assert propensities == pytest.approx(dict.fromkeys(propensities, 1 / 3))
    with store.read() as connection:
        assert exploration.exploration_batch_of(connection, number) is None


def test_the_exploration_batch_counts_against_the_budget_of_its_payer(
    store: Store, context: WorkerContext
) -> None:
    _, number = submitted(store, context.settings, explore=1.0, budget=450)
    route(context, number)
    explored = exploration_batch(store, number)
    granted = store_builders.reserve(store, store_builders.held(store, explored["no"]))
    assert len(granted.granted) == 4, "450 has room for four calls of 100"
    assert_batch(store_builders.row(store, number), reserved=400)


def test_cancelling_a_batch_cancels_its_exploration_batch(store: Store, context: WorkerContext) -> None:
    batch_id, number = submitted(store, context.settings, explore=1.0)
    route(context, number)
    with store.write() as connection:
        control.cancel(connection, batch_id)
    assert_batch(store_builders.row(store, exploration_batch(store, number)["no"]), status="cancelled")
    assert_batch(store_builders.row(store, number), status="cancelled")


@SQLITE_ONLY
def test_an_answer_of_another_model_than_the_drawn_one_is_not_taken_for_its_own(
    store: Store, context: WorkerContext
) -> None:
    batch_id, number = submitted(store, context.settings, explore=1.0, models=["large", "small"])
    route(context, number)
    store_builders.settle_all(store, number, model="another")
    learning.answer_all(store, exploration_batch(store, number)["id"])
    exploration.close_finished(store)
    with pytest.raises(UsageError, match="nothing can be compared"):
        judging.begin(store, context.settings, [batch_id], judges=["large"])


def test_a_submission_without_a_request_leaves_no_exploration_batch(
    store: Store, context: WorkerContext
) -> None:
    options = options_for(context.settings, explore=0.5)
    with pytest.raises(UsageError):
        submit.submit(store, from_items([{}], context.settings), source="test", options=options)
    with store.read() as connection:
        assert connection.execute(select(batch.c.no)).all() == []
