"""The budget of judge runs, what they will cost, and how many pairs they settle."""

from __future__ import annotations

import math

import pytest
from sqlalchemy import select

from tasks.learning import judge_plan, judging, labels
from tasks.stages.context import WorkerContext
from tasks.store import progress
from tasks.store.learning import calls_to_come
from tasks.store.learning.tables import verdict
from tests.support import learning, store_builders
from tests.support.judging import QUALITY, answer, begin, finish, judge_chunks, verdicts
from tests.support.stores import SQLITE_ONLY
from workers.views.batch_report import read_exhausted


def test_a_budget_stops_the_run_and_a_new_one_goes_on(context: WorkerContext) -> None:
    batch_id, number = begin(context, budget=45)
    finish(context, number)
    row = store_builders.row(context.store, number)
    assert row["spent"] == 4, "four calls of 10 at worst fit 45"
    assert row["budget_stops"] > 0
    assert set(judging.summary(context.store, batch_id).prompts) == {"stopped"}
    store_builders.check_ledger(context.store, number)
    _, second = begin(context)
    finish(context, second)
    assert len(list(labels.export(context.store))) == 3
    answered = [key[1:5] for key in verdicts(context.store)]
    with context.store.read() as connection:
        query = select(verdict.c.verdict).where(verdict.c.verdict == "unanswered")
        unanswered = len(connection.execute(query).all())
    assert len(answered) - len(set(answered)) <= unanswered, "only calls without a reply are repeated"


def test_the_budget_for_the_rest_is_that_of_all_pairs_that_were_not_judged(context: WorkerContext) -> None:
    batch_id, number = begin(context, budget=45)
    finish(context, number)
    with context.store.read() as connection:
        state = progress.snapshot(connection, batch_id)
        text, enough = read_exhausted(connection, state)
    assert judging.summary(context.store, batch_id).judged == 0, "four calls, each of another pair"
    assert enough == math.ceil(1.2 * 36) + 10, "36 calls judge all pairs, and one is reserved"
    assert "waybill judge --budget" in text
    assert state.projected == 4, "nothing goes on by itself"


def test_a_plan_tells_pairs_calls_and_dollars_and_what_is_judged_costs_nothing_again(
    context: WorkerContext,
) -> None:
    store, settings = context.store, context.settings
    planned = judge_plan.plan(store, settings)
    assert (planned.prompts, planned.fewest_pairs, planned.pairs) == (3, 6, 9)
    assert (planned.fewest.calls, planned.most.calls) == (24, 36)
    assert {name: one.calls for name, one in planned.costs.items()} == {"judge-1": 18, "judge-2": 18}
    assert planned.fewest.cost_usd == pytest.approx(planned.most.cost_usd * 24 / 36, rel=0.01)
    assert 0 < planned.most.cost_usd < planned.most.worst_usd
    every = judge_plan.plan(store, settings, every_pair=True)
    assert (every.fewest_pairs, every.fewest.calls) == (9, 36)
    finish(context, begin(context)[1])
    assert judge_plan.plan(store, settings).most.calls == 0
    assert judge_plan.plan(store, settings, judges=["judge-1", "small"]).costs["judge-1"].calls < 18


@SQLITE_ONLY
def test_a_plan_knows_that_equal_answers_need_no_judge(context: WorkerContext) -> None:
    batch_id = learning.collect(context.store, context.settings, ["What is two plus two?"])
    learning.answer_all(context.store, batch_id, texts={**dict.fromkeys(QUALITY, "Four."), "large": "4"})
    planned = judge_plan.plan(context.store, context.settings, [batch_id])
    assert (planned.fewest_pairs, planned.pairs, planned.most.calls) == (1, 2, 8)


def test_a_stopped_prompt_saves_nothing(context: WorkerContext) -> None:
    stopped, number = begin(context, budget=45)
    finish(context, number)
    found = judging.summary(context.store, stopped)
    assert (found.settled_pairs, found.settled_judged) == (0, 0)
    settled, number = begin(context)
    finish(context, number)
    found = judging.summary(context.store, settled)
    assert found.settled_pairs == 9
    assert found.settled_judged == found.judged


def test_what_a_run_will_cost_is_known_from_its_first_verdicts_on(context: WorkerContext) -> None:
    batch_id, number = begin(context)
    seen = []
    while judge_chunks(context, number):
        answer(context.store, number)
        with context.store.read() as connection:
            seen.append(progress.snapshot(connection, batch_id))
    *running, last = seen
    assert {state.status for state in running} == {"in_progress"}
    assert (last.status, last.more_calls) == ("completed", 0)
    assert last.projected == last.spent
    for state in running:
        assert state.projected is not None
        assert 24 <= state.projected <= 36, "between the fewest pairs and all, of which each costs 4"


@pytest.mark.parametrize(("answers", "fewest"), [(2, 1), (3, 2), (5, 4), (9, 8), (30, 29)])
def test_a_prompt_is_settled_with_a_pair_less_than_it_has_answers_at_best(answers: int, fewest: int) -> None:
    assert calls_to_come.fewest_pairs(answers * (answers - 1) // 2) == fewest
