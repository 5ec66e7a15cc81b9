"""What judges and people have of deleted texts goes with them, and that of other batches stays."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import select, update

from router_core.data.prompt_hash import prompt_hash
from tasks.errors import UsageError
from tasks.learning import collection, collection_plan, judging, labels, off_policy_log
from tasks.learning.collection_plan import CategorisedPrompt
from tasks.stages.context import WorkerContext
from tasks.stages.judging.stage import judge_chunk
from tasks.store import chunks, deletion
from tasks.store.engine import Store
from tasks.store.learning import human_labels
from tasks.store.learning.human_labels import HumanPreference
from tasks.store.tables import attempt, chunk
from tasks.store.values import INVALID_ANSWER, RequestResult
from tests.support import learning, store_builders
from tests.support.deleting import MARK, answered_batch, columns_with_mark, delete

TEXTS = [f"Name three primes, {MARK}.", f"Write a haiku about {MARK}."]


@pytest.fixture
def judged(store: Store, tmp_path: Path) -> tuple[WorkerContext, str]:
    """A collected batch whose answers judges compare, and people have compared."""
    settings = learning.settings(tmp_path, "large", "small", "judge")
    models = [m.model_copy(update={"routed": m.name != "judge"}) for m in settings.models]
    judge = settings.judge.model_copy(update={"models": ("judge",)})
    settings = settings.model_copy(update={"models": tuple(models), "judge": judge})
    batch_id = learning.collect(store, settings, TEXTS)
    answers = {model: f"{model} {MARK}" for model in ("large", "small")}
    learning.answer_all(store, batch_id, texts=answers)
    with store.write() as connection:
        person = HumanPreference(
            prompt=TEXTS[0],
            prompt_hash=prompt_hash(TEXTS[0]),
            pair=("large", "small"),
            value=1.0,
            annotator="ann",
        )
        human_labels.add(connection, [person])
    context = WorkerContext(settings)
    context.__dict__["store"] = store
    return context, batch_id


def _judge(context: WorkerContext, number: int) -> None:
    """Let the judge answer with a text that quotes, or fail, until the run ends."""
    store = context.store
    while store_builders.row(store, number)["status"] == "ingesting":
        waiting = chunk.c.batch_no == number, chunk.c.state == "queued", chunk.c.stage == chunks.JUDGE
        with store.read() as connection:
            rows = connection.execute(select(chunk.c.id, chunk.c.epoch).where(*waiting)).all()
        for row in rows:
            judge_chunk(context, row.id, row.epoch)
        held = store_builders.held(store, number, stage=chunks.DISPATCH)
        if not held:
            continue
        store_builders.reserve(store, held, worst=10)
        choice = dict.fromkeys(("clarity", "accuracy", "completeness", "winner"), "A")
        said = learning.completion(json.dumps({**choice, "reason": MARK}))
        answer = RequestResult("succeeded", model="judge", body=said, status_code=200, latency_ms=1)
        refused = replace(store_builders.REFUSED, model="judge")
        store_builders.settle(store, held[:-1], next=answer) if held[:-1] else None
        store_builders.settle(store, held[-1:], next=refused)


def test_what_judges_and_people_have_of_its_texts_goes_with_it(judged: tuple[WorkerContext, str]) -> None:
    context, batch_id = judged
    store = context.store
    run = judging.begin(store, context.settings)
    number = learning.batch_no(store, run.batch_id)
    with pytest.raises(UsageError, match=f"{run.batch_id} compares its answers"):
        delete(store, batch_id)
    _judge(context, number)
    assert len(list(labels.export(store))) == 2
    assert "human_prompt.prompt" in columns_with_mark(store)
    delete(store, batch_id)
    assert columns_with_mark(store) == set()
    # The verdicts stay, and count for the quality of judges; without prompts they train nothing.
    assert learning.count(store, "verdict") > 0
    assert list(labels.export(store)) == []
    assert list(labels.checked(store)) == []
    assert off_policy_log.logged_answers(store).answers == ()
    with pytest.raises(UsageError):
        judging.begin(store, context.settings)


def test_what_is_to_be_deleted_trains_nothing_even_before_its_texts_are_gone(
    judged: tuple[WorkerContext, str],
) -> None:
    context, batch_id = judged
    store = context.store
    checked_id, checked = answered_batch(store)
    with store.write() as connection:
        mine = attempt.c.batch_no == checked
        connection.execute(update(attempt).where(mine).values(error_code=INVALID_ANSWER))
    run = judging.begin(store, context.settings)
    _judge(context, learning.batch_no(store, run.batch_id))
    assert list(labels.export(store))
    assert list(labels.checked(store))
    with store.write() as connection:
        for one in (batch_id, checked_id):
            deletion.mark(connection, one)
    assert list(labels.export(store)) == list(labels.checked(store)) == []
    with pytest.raises(UsageError):
        judging.begin(store, context.settings)
    deletion.clear(store, checked)
    assert list(labels.checked(store)) == []


def test_what_judges_have_of_other_batches_stays(judged: tuple[WorkerContext, str]) -> None:
    context, batch_id = judged
    store = context.store
    other = learning.collect(store, context.settings, ["Name three rivers.", "Write a haiku about rain."])
    learning.answer_all(store, other, texts={"large": "one", "small": "two"})
    run = judging.begin(store, context.settings)
    _judge(context, learning.batch_no(store, run.batch_id))
    delete(store, batch_id)
    # The judge's replies about the other batch hold the mark; nothing else does.
    assert columns_with_mark(store) == {"outcome.body"}


def test_a_collection_from_a_batch_goes_with_it(store: Store, tmp_path: Path) -> None:
    settings = learning.settings(tmp_path, "large", "small")
    batch_id, number = answered_batch(store)
    items = [CategorisedPrompt(one.parsed) for one in collection.from_batch(store, batch_id)]
    planned = collection_plan.plan(store, settings, items, share=1.0, models=("large", "small"))
    copy = collection.collect(store, settings, planned, source=batch_id).batch_id
    assert copy is not None
    learning.answer_all(store, copy, texts={"large": MARK})
    assert delete(store, batch_id) == [number, learning.batch_no(store, copy)]
    assert columns_with_mark(store) == set()
