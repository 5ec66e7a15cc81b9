"""The deletion of prompts and answers: no column holds them any more, and the ledger is what it was."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, String, cast, select, update
from sqlmodel import SQLModel

from router_core.data.prompt_hash import prompt_hash
from tasks.errors import UsageError
from tasks.formats.requests import InputError
from tasks.learning import collection, collection_plan, judging, labels, off_policy_log
from tasks.learning.collection_plan import CategorisedPrompt
from tasks.stages.context import WorkerContext
from tasks.stages.dispatch.group_requests import reuse_answers
from tasks.stages.judging.stage import judge_chunk
from tasks.store import batches, chunks, control, deletion, ledger, progress, results, reuse
from tasks.store.engine import Store
from tasks.store.learning import human_labels
from tasks.store.learning.human_labels import HumanPreference
from tasks.store.tables import attempt, batch, chunk, request
from tasks.store.values import INVALID_ANSWER, RequestResult
from tests.support import learning, store_builders

#: stands in every prompt and answer
MARK = "xyzzy"
BODY = json.dumps({"messages": [{"role": "user", "content": f"a prompt {MARK}"}]}, separators=(",", ":"))
ANSWER = replace(
    store_builders.ANSWER, body=learning.completion(f"an answer {MARK}"), notes={"invalid": f"#/{MARK}: type"}
)


def columns_with_mark(store: Store) -> set[str]:
    """Return the columns of any table that hold the mark."""
    found = set()
    with store.read() as connection:
        for table in SQLModel.metadata.sorted_tables:
            for column in table.columns:
                text = cast(column, String)
                if connection.execute(select(text).where(text.contains(MARK)).limit(1)).first() is not None:
                    found.add(f"{table.name}.{column.name}")
    return found


def answered_batch(store: Store, count: int = 3) -> tuple[str, int]:
    """Return the id and the number of a batch with answers, a duplicate, a failure and a bad line."""
    lines = [
        store_builders.line(n, body=BODY.replace("a prompt", f"prompt {n}")) for n in range(1, count + 1)
    ]
    twin = store_builders.line(count + 1, body=lines[0].body)
    bad = InputError(count + 2, "invalid_parameter", f"no parameter {MARK}", "bad")
    number = store_builders.submit(store, [*lines, twin, bad])
    held = store_builders.held(store, number)
    store_builders.reserve(store, held)
    failed = replace(store_builders.REFUSED, error_message=f"the last one: {MARK}")
    with store.write() as connection:
        ends = [replace(store_builders.settlement(one, ANSWER), answer=MARK) for one in held[:-1]]
        ledger.settle(connection, number, [*ends, store_builders.settlement(held[-1], failed)])
    return str(store_builders.row(store, number)["id"]), number


def delete(store: Store, batch_id: str) -> list[int]:
    with store.write() as connection:
        numbers = deletion.mark(connection, batch_id)
    for number in numbers:
        deletion.clear(store, number)
    return numbers


def test_no_text_is_left_and_the_ledger_stays(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deletion, "PAGE", 2)
    batch_id, number = answered_batch(store, 5)
    before = store_builders.row(store, number)
    calls = [store_builders.attempts(store, number, n) for n in range(1, 6)]
    assert columns_with_mark(store) == {
        "request.body", "outcome.body", "outcome.notes", "outcome.error_message", "attempt.answer",
        "input_error.reason",
    }  # fmt: skip
    assert delete(store, batch_id) == [number]
    assert columns_with_mark(store) == set()
    after = store_builders.row(store, number)
    changed = {name for name in after if after[name] != before[name]}
    assert changed == {"data_deleted_at", "data_cleared_to"}
    assert [store_builders.attempts(store, number, n) for n in range(1, 6)] == calls
    store_builders.check_ledger(store, number)
    with store.read() as connection:
        assert deletion.unfinished(connection) == []
        ids = connection.execute(select(request.c.custom_id).where(request.c.batch_no == number)).scalars()
        assert set(ids) == {f"id-{n}" for n in range(1, 7)}
        hashes = connection.execute(select(request.c.body_hash).where(request.c.batch_no == number)).scalars()
        assert {bytes(each) for each in hashes} == {b""}


def test_results_say_when_they_were_deleted_and_the_status_goes_on(store: Store) -> None:
    batch_id, _ = answered_batch(store)
    delete(store, batch_id)
    with store.read() as connection:
        state = progress.snapshot(connection, batch_id)
    assert state.data_deleted_at is not None
    assert state.succeeded == 3
    date = deletion.date_of(state.data_deleted_at)
    with pytest.raises(UsageError, match=f"{batch_id} were deleted on {date}"):
        list(results.iter_results(store, batch_id))
    with pytest.raises(UsageError, match="were deleted"), store.write() as connection:
        control.retry(connection, batch_id, budget=None)
    with pytest.raises(UsageError, match="were deleted"):
        list(collection.from_batch(store, batch_id))


def test_a_reader_in_the_middle_of_the_results_meets_the_deletion_and_no_empty_answer(store: Store) -> None:
    batch_id, _ = answered_batch(store)
    records = results.iter_results(store, batch_id, page=1)
    assert MARK in json.dumps(next(records).body)
    delete(store, batch_id)
    with pytest.raises(UsageError, match="were deleted"):
        list(records)


def test_a_running_batch_is_refused_and_keeps_its_data(store: Store) -> None:
    number = store_builders.submit(store, [store_builders.line(1, body=BODY)])
    batch_id = store_builders.row(store, number)["id"]
    with pytest.raises(UsageError, match=f"{batch_id} is in_progress"):
        delete(store, batch_id)
    assert columns_with_mark(store) == {"request.body"}
    with store.write() as connection:
        control.cancel(connection, batch_id)
    delete(store, batch_id)
    assert columns_with_mark(store) == set()


def test_a_batch_that_it_pays_for_goes_with_it_and_holds_it_up_while_it_runs(store: Store) -> None:
    batch_id, number = answered_batch(store)
    copy = store_builders.submit(store, [store_builders.line(1, body=BODY)], payer_no=number)
    with pytest.raises(UsageError, match="in_progress"):
        delete(store, batch_id)
    held = store_builders.held(store, copy)
    store_builders.reserve(store, held)
    store_builders.settle(store, held, next=ANSWER)
    assert delete(store, batch_id) == [number, copy]
    assert columns_with_mark(store) == set()


def test_a_deletion_that_broke_off_goes_on_where_it_was(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deletion, "PAGE", 2)
    batch_id, number = answered_batch(store, 5)
    with store.write() as connection:
        deletion.mark(connection, batch_id)
    stops = iter([False, True])
    deletion.clear(store, number, stop=lambda: next(stops))
    assert "request.body" in columns_with_mark(store)
    with store.read() as connection:
        assert deletion.unfinished(connection) == [number]
    deletion.clear(store, number)
    assert columns_with_mark(store) == set()


def test_pages_hold_the_lock_for_a_short_time_however_long_the_texts_are() -> None:
    assert deletion.next_page(16, deletion.PAGE_S / 10) == 32
    assert deletion.next_page(deletion.PAGE, 0.0) == deletion.PAGE
    assert deletion.next_page(100, deletion.PAGE_S * 0.8) == 100
    assert deletion.next_page(100, deletion.PAGE_S * 1.1) == 50
    assert deletion.next_page(1, 60.0) == 1


def test_nothing_is_reused_from_a_deleted_batch_not_even_before_its_texts_are_gone(store: Store) -> None:
    batch_id, _ = answered_batch(store)
    options = replace(store_builders.OPTIONS, reuse_s=60.0, reuse_any=True)

    def reused() -> int:
        number = store_builders.submit(
            store, [store_builders.line(1, body=BODY.replace("a prompt", "prompt 1"))], options=options
        )
        for one in store_builders.claim(store, number):
            reuse_answers(store, one, owner="worker")
        return int(store_builders.row(store, number)["reused"])

    assert reused() == 1
    with store.write() as connection:
        deletion.mark(connection, batch_id)
    assert reused() == 0


def test_nothing_is_taken_from_a_batch_that_is_deleted_between_the_look_and_the_taking(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch_id, _ = answered_batch(store)
    take = reuse.take

    def take_late(connection: Connection, *given: Any, **named: Any) -> None:
        deletion.mark(connection, batch_id)
        take(connection, *given, **named)

    monkeypatch.setattr(reuse, "take", take_late)
    options = replace(store_builders.OPTIONS, reuse_s=60.0, reuse_any=True)
    same = store_builders.line(1, body=BODY.replace("a prompt", "prompt 1"))
    number = store_builders.submit(store, [same], options=options)
    for one in store_builders.claim(store, number):
        reuse_answers(store, one, owner="worker")
    row = store_builders.row(store, number)
    assert (row["reused"], row["succeeded"], row["saved"]) == (0, 0, 0)


def test_the_texts_of_other_batches_and_what_people_have_of_them_stay(store: Store) -> None:
    batch_id, _ = answered_batch(store)
    answered_batch(store)
    text = f"of no batch, {MARK}"
    person = HumanPreference(
        prompt=text, prompt_hash=prompt_hash(text), pair=("large", "small"), value=1.0, annotator="ann"
    )
    with store.write() as connection:
        human_labels.add(connection, [person])
    before = columns_with_mark(store)
    assert before >= {"human_prompt.prompt", "input_error.reason", "request.body"}
    delete(store, batch_id)
    assert columns_with_mark(store) == before


def test_a_second_deletion_leaves_the_date_of_the_first(store: Store) -> None:
    batch_id, number = answered_batch(store)
    delete(store, batch_id)
    with store.write() as connection:
        mine = batch.c.no == number
        connection.execute(update(batch).where(mine).values(data_deleted_at=batch.c.data_deleted_at - 5))
    first = store_builders.row(store, number)["data_deleted_at"]
    assert delete(store, batch_id) == [number]
    assert store_builders.row(store, number)["data_deleted_at"] == first


def test_batches_expire_by_the_time_at_which_they_ended(store: Store) -> None:
    batch_id, number = answered_batch(store)
    store_builders.submit(store, store_builders.lines(1))
    with store.write() as connection:
        assert deletion.expired(connection, 1.0) == []
        connection.execute(
            update(batch).where(batch.c.no == number).values(finished_at=batch.c.finished_at - 90_000_000)
        )
        assert deletion.expired(connection, 1.0) == [batch_id]
        assert deletion.expired(connection, 2.0) == []
        deletion.mark(connection, batch_id)
        assert deletion.expired(connection, 1.0) == []


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


def test_sqlite_keeps_no_deleted_text_in_its_files(tmp_path: Path) -> None:
    from tasks.store.schema import ensure_schema

    store = Store(f"sqlite:///{tmp_path / 'waybill.db'}")
    ensure_schema(store)
    batch_id, _ = answered_batch(store, 20)
    assert any(MARK.encode() in file.read_bytes() for file in tmp_path.iterdir())
    delete(store, batch_id)
    with store.read() as connection:
        assert connection.execute(select(attempt.c.number)).first() is not None
        assert batches.find(connection, batch_id)["data_deleted_at"] is not None
    assert not any(MARK.encode() in file.read_bytes() for file in tmp_path.iterdir())
    store.close()
