"""Judge runs on a real store: their calls and their verdicts."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import select, update

from tasks.errors import SettingsError, UsageError
from tasks.learning import judge_plan, judging, labels
from tasks.stages.context import WorkerContext
from tasks.store import control
from tasks.store.engine import Store
from tasks.store.learning.tables import judged_prompt, verdict
from tasks.store.tables import outcome, request
from tests.support import learning, store_builders
from tests.support.comparisons import assert_batch, assert_fields
from tests.support.judging import ANSWERS, QUALITY, TEXTS, answer, begin, finish, judge_chunks
from tests.support.stores import SQLITE_ONLY


def test_a_run_finds_the_best_answers_in_fewer_calls_than_all_pairs(context: WorkerContext) -> None:
    batch_id, number = begin(context)
    calls = finish(context, number)
    row = store_builders.row(context.store, number)
    assert_batch(row, status="completed", purpose="judge", calls=calls, spent=calls)
    store_builders.check_ledger(context.store, number)
    best = [max(one.scores, key=one.scores.__getitem__) for one in labels.export(context.store)]
    assert best == ["large"] * 3
    found = judging.summary(context.store, batch_id)
    assert found.prompts == {"settled": 3}
    assert_fields(found, pairs=9, calls_of_all_pairs=36)
    assert found.calls == calls == 4 * found.judged
    assert 6 <= found.judged <= 9


@SQLITE_ONLY
def test_every_pair_can_be_judged(context: WorkerContext) -> None:
    batch_id, number = begin(context, every_pair=True)
    assert finish(context, number) == 36
    assert judging.summary(context.store, batch_id).judged == 9
    assert [one.scores for one in labels.export(context.store, robust=False)] == [
        {"large": 1.0, "medium": 0.5, "small": 0.0}
    ] * 3


@SQLITE_ONLY
def test_no_judge_sees_who_wrote_an_answer_and_its_prompt_is_deleted_after_its_reply(
    context: WorkerContext,
) -> None:
    _, number = begin(context)
    judge_chunks(context, number)
    with context.store.read() as connection:
        bodies = list(
            connection.execute(select(request.c.body).where(request.c.batch_no == number)).scalars()
        )
    assert bodies
    names = (*QUALITY, "judge-1", "judge-2")
    assert [(name, body) for body in bodies for name in names if name in body] == []
    finish(context, number)
    with context.store.read() as connection:
        query = select(request.c.body).where(request.c.batch_no == number).distinct()
        assert list(connection.execute(query).scalars()) == ["{}"]


def test_a_second_run_judges_nothing_again(context: WorkerContext) -> None:
    _, first = begin(context)
    finish(context, first)
    _, second = begin(context)
    assert finish(context, second) == 0
    assert_batch(store_builders.row(context.store, second), status="completed")


def test_answers_that_are_collected_again_are_not_judged_again(context: WorkerContext) -> None:
    _, first = begin(context)
    finish(context, first)
    again = learning.collect(context.store, context.settings, [*TEXTS, "Name a colour."])
    learning.answer_all(context.store, again, texts=ANSWERS)
    planned = judge_plan.plan(context.store, context.settings)
    batch_id, second = begin(context)
    calls = finish(context, second)
    assert 0 < calls <= 12  # the three pairs of the new prompt, by two judges, in both orders
    assert planned.most.calls == 12
    assert judging.summary(context.store, batch_id).prompts == {"settled": 4}
    assert sum(len(one.scores) for one in labels.export(context.store)) == 12


@SQLITE_ONLY
def test_prompts_are_not_judged_by_two_runs_at_once(context: WorkerContext) -> None:
    batch_id, _ = begin(context)
    with pytest.raises(UsageError, match=batch_id):
        begin(context)


@SQLITE_ONLY
def test_equal_answers_are_a_tie_and_need_no_judge(context: WorkerContext) -> None:
    batch_id = learning.collect(context.store, context.settings, ["What is two plus two?"])
    learning.answer_all(context.store, batch_id, texts=dict.fromkeys(QUALITY, "Four."))
    _, number = begin(context, collections=[batch_id])
    assert finish(context, number) == 0
    (row,) = labels.export(context.store, [batch_id])
    assert set(row.scores.values()) == {0.5}


@SQLITE_ONLY
def test_a_call_is_repeated_once_after_an_invalid_reply_which_is_counted(context: WorkerContext) -> None:
    _, number = begin(context)
    judge_chunks(context, number)
    calls = answer(context.store, number, lambda _: "I cannot decide")
    judge_chunks(context, number)
    assert answer(context.store, number) == calls
    finish(context, number)
    report = labels.quality(context.store, context.settings)
    for one in report.judges:
        assert one.invalid_replies.count == calls / 2
        assert one.invalid_replies.total > one.invalid_replies.count


@SQLITE_ONLY
def test_what_cannot_be_judged_is_refused_with_the_reason(store: Store, tmp_path: Path) -> None:
    settings = learning.settings(tmp_path)
    with pytest.raises(SettingsError, match="one to five judges"):
        judging.begin(store, settings)
    with pytest.raises(UsageError, match="no answers were collected"):
        judging.begin(store, settings, judges=["large"])
    unanswered = learning.collect(store, settings, TEXTS)
    with pytest.raises(UsageError, match="wait until its answers are there"):
        judging.begin(store, settings, [unanswered], judges=["large"])
    with store.write() as connection:
        control.cancel(connection, unanswered)
    with pytest.raises(UsageError, match="nothing can be compared"):
        judging.begin(store, settings, [unanswered], judges=["large"])


@SQLITE_ONLY
def test_a_run_is_not_retried_but_run_again(context: WorkerContext) -> None:
    batch_id, number = begin(context)
    finish(context, number)
    with pytest.raises(UsageError, match="waybill judge"), context.store.write() as connection:
        control.retry(connection, batch_id, budget=None)


@SQLITE_ONLY
def test_the_state_of_each_prompt_is_kept(context: WorkerContext) -> None:
    _, number = begin(context)
    judge_chunks(context, number)
    with context.store.read() as connection:
        states = connection.execute(select(judged_prompt.c.state, judged_prompt.c.pairs)).all()
    assert states == [("open", 3)] * 3


@pytest.mark.parametrize("damaged", ["no JSON", "5"])
def test_an_answer_that_is_damaged_in_the_store_fails_no_other_prompt(
    context: WorkerContext, damaged: str
) -> None:
    _, number = begin(context)
    with context.store.write() as connection:
        first = select(outcome.c.request_id).where(outcome.c.body.is_not(None)).limit(1)
        mine = outcome.c.request_id == first.scalar_subquery()
        connection.execute(update(outcome).where(mine).values(body=damaged))
    assert judge_chunks(context, number)
    with context.store.read() as connection:
        judged = set(connection.execute(select(verdict.c.prompt_id)).scalars())
    assert len(judged) == len(TEXTS)
