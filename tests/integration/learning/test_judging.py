"""Judge runs on a real store: their calls, their verdicts and their failures."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from tasks.errors import SettingsError, StaleWork, UsageError
from tasks.learning import judge_plan, judging, labels
from tasks.stages.chunk_lease import StageFailed
from tasks.stages.context import WorkerContext
from tasks.stages.judging.stage import judge_chunk
from tasks.store import chunks, control, ledger, progress, sweep
from tasks.store.engine import Store
from tasks.store.learning import calls_to_come, judge_runs
from tasks.store.learning.tables import judged_prompt, verdict
from tasks.store.tables import chunk, outbox, request
from tasks.store.values import RequestResult
from tests.support import learning, store_builders
from tests.support.comparisons import assert_batch, assert_fields
from tests.support.stores import SQLITE_ONLY
from workers.views.batch_report import read_exhausted

TEXTS = ["Name three primes.", "Write a haiku about rain.", "Why is the sky blue, and not green?"]
QUALITY = {"large": 3, "medium": 2, "small": 1}
REFUSED = RequestResult("failed", error_code="budget_exceeded")
ANSWERS = {model: f"an answer worth {quality}" for model, quality in QUALITY.items()}


@pytest.fixture
def context(store: Store, tmp_path: Path) -> WorkerContext:
    """A judge worker over three answered prompts; two judges."""
    settings = learning.settings(tmp_path, *QUALITY, "judge-1", "judge-2")
    models = [m.model_copy(update={"routed": m.name in QUALITY}) for m in settings.models]
    judge = settings.judge.model_copy(update={"models": ("judge-1", "judge-2")})
    settings = settings.model_copy(update={"models": tuple(models), "judge": judge})
    learning.answer_all(store, learning.collect(store, settings, TEXTS), texts=ANSWERS)
    made = WorkerContext(settings)
    made.__dict__["store"] = store
    return made


def judge_chunks(context: WorkerContext, batch_no: int) -> int:
    """Run the judge stage on every waiting chunk of the run and return their number."""
    waiting = chunk.c.batch_no == batch_no, chunk.c.state == "queued", chunk.c.stage == chunks.JUDGE
    with context.store.read() as connection:
        rows = connection.execute(select(chunk.c.id, chunk.c.epoch).where(*waiting)).all()
    for row in rows:
        judge_chunk(context, row.id, row.epoch)
    return len(rows)


def reply_of(body: dict[str, Any]) -> str:
    """Return the reply of a judge that never errs: the answer that is worth more."""
    shown = body["messages"][1]["content"]
    first, second = (int(part.split("\n")[0]) for part in shown.split("worth ")[1:3])
    choice = "A" if first > second else "B"
    return json.dumps({"clarity": choice, "accuracy": choice, "completeness": choice, "winner": choice})


def answer(store: Store, batch_no: int, reply: Callable[[dict[str, Any]], str] = reply_of) -> int:
    """Answer every waiting judge call as a dispatch worker would, or end it if the budget is spent."""
    held = store_builders.held(store, batch_no, stage=chunks.DISPATCH)
    granted = store_builders.reserve(store, held, worst=10).granted if held else set()
    results = [(one, answered(one.model, reply(json.loads(one.body)))) for one in held if one.id in granted]
    with store.write() as connection:
        settled = [store_builders.settlement(one, final, cost=1) for one, final in results]
        ledger.settle(connection, batch_no, settled)
        refused = [store_builders.without_call(one, REFUSED) for one in held if one.id not in granted]
        ledger.apply_results(connection, batch_no, refused)
    return len(results)


def answered(model: str | None, text: str) -> RequestResult:
    return RequestResult(
        "succeeded", model=model, body=learning.completion(text), status_code=200, latency_ms=1
    )


def finish(context: WorkerContext, batch_no: int) -> int:
    """Run the judge stage and answer its calls until the run ends; return the number of calls."""
    calls = 0
    while store_builders.row(context.store, batch_no)["status"] == "ingesting":
        assert judge_chunks(context, batch_no)
        calls += answer(context.store, batch_no)
    return calls


def begin(context: WorkerContext, **options: Any) -> tuple[str, int]:
    run = judging.begin(context.store, context.settings, **options)
    return run.batch_id, learning.batch_no(context.store, run.batch_id)


def verdicts(store: Store) -> Counter[tuple[Any, ...]]:
    columns = [verdict.c[name] for name in ("batch_no", "prompt_id", "judge", "first", "second", "number")]
    with store.read() as connection:
        return Counter(tuple(row) for row in connection.execute(select(*columns)))


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
