"""What checks of answers found, as labels for training."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from router_core.judging.verdicts import Judgement, Verdict
from tasks.learning import judging, labels
from tasks.store import batches, ledger, sweep
from tasks.store.batch_options import BatchOptions
from tasks.store.engine import Store
from tasks.store.learning import exploration
from tasks.store.tables import request
from tasks.store.values import INVALID_ANSWER, HeldRequest, RequestResult, Requeue, Settlement
from tasks.submission import submit
from tasks.submission.options import options_for
from tasks.submission.source import from_items
from tests.support import learning, store_builders
from tests.support.comparisons import assert_fields

F, S = Verdict.FIRST, Verdict.SECOND
PAIRS = (("large", "medium"), ("large", "small"), ("medium", "small"))


def settle(store: Store, number: int, settled: Callable[[HeldRequest], Settlement]) -> None:
    """Answer the waiting requests of a batch."""
    sweep.regroup(store)
    held = store_builders.held(store, number)
    store_builders.reserve(store, held)
    with store.write() as connection:
        ledger.settle(connection, number, [settled(one) for one in held])


def answered(one: HeldRequest, notes: dict[str, Any], next_step: Requeue | None = None) -> Settlement:
    """The settlement of an answer whose check notes this."""
    body = learning.completion(f"{one.model}'s answer")
    final = RequestResult("succeeded", model=one.model, body=body, status_code=200, notes=notes)
    made = store_builders.settlement(one, next_step or final, cost=4)
    misfit = notes["valid"] is False and notes.get("invalid") != "refusal"
    code = INVALID_ANSWER if misfit else None
    return replace(made, state="succeeded", error_code=code, answer=body if next_step else None)


@pytest.fixture
def collected(store: Store, tmp_path: Path) -> int:
    """A prompt that three models answered: what `large` says does not fit, and `medium` refuses."""
    batch_id = learning.collect(store, learning.settings(tmp_path), ["Name three primes."])
    notes = {
        "large": {"valid": False, "invalid": "#: type"},
        "medium": {"valid": False, "invalid": "refusal"},
        "small": {"valid": True},
    }
    settle(store, learning.batch_no(store, batch_id), lambda one: answered(one, notes[one.model or ""]))
    (prompt,) = learning.samples(store)
    return prompt


def test_an_answer_that_fits_beats_one_that_does_not(store: Store, collected: int) -> None:
    learning.store_verdicts(store, [Judgement(collected, "j", pair, F, S) for pair in PAIRS])
    (judged,) = labels.export(store)
    assert judged.scores == {"large": 1.0, "medium": 0.5, "small": 0.0}
    (checked,) = labels.export(store, checks=True)
    # large against small is decided by the check, the refusal by the judge
    assert checked.scores == {"large": 0.5, "medium": 0.5, "small": 0.5}


def test_without_judges_the_checks_alone_are_labels(store: Store, collected: int) -> None:
    assert list(labels.export(store)) == []
    (checked,) = labels.export(store, checks=True)
    assert checked.scores == {"large": 0.0, "small": 1.0}


def test_the_share_of_answers_that_fit_is_a_label(store: Store, collected: int) -> None:
    (row,) = labels.checked(store)
    assert row.prompt == "Name three primes."
    assert row.scores == {"large": 0.0, "small": 1.0}
    assert row.costs == {"large": 4e-6, "small": 4e-6}


def test_each_step_of_a_request_is_a_label(store: Store, tmp_path: Path) -> None:
    settings = learning.settings(tmp_path)
    items = from_items([{"prompt": "p", "model": "large"}, {"prompt": "q", "model": "small"}], settings)
    batch_id = submit.submit(store, items, source="test", options=options_for(settings))
    number = learning.batch_no(store, batch_id)
    for step in (Requeue(0.0), Requeue(0.0, model="small")):
        settle(store, number, partial(small_fits, step))
    settle(store, number, lambda one: answered(one, {"valid": True, "repaired": ["fences"]}))
    rows = {row.prompt: row.scores for row in labels.checked(store, [batch_id])}
    assert rows == {"p": {"large": 0.0, "small": 1.0}, "q": {"small": 1.0}}
    row = store_builders.row(store, number)
    assert_fields(row, status="completed", invalid_answers=2, asked_again=2, repaired=1)


def small_fits(step: Requeue, one: HeldRequest) -> Settlement:
    """The settlement of an answer that fits if `small` gave it; else the step follows."""
    if one.model == "small":
        return answered(one, {"valid": True})
    return answered(one, {"valid": False}, step)


def test_collected_answers_are_flagged_and_judges_are_not_checked(store: Store, tmp_path: Path) -> None:
    settings = learning.settings(tmp_path)
    batch_id = learning.collect(store, settings, ["p"])
    assert options_for(settings).validate == "retry"
    assert validate_of(store, batch_id) == "flag"
    settle(store, learning.batch_no(store, batch_id), lambda one: answered(one, {"valid": True}))
    assert validate_of(store, judging.begin(store, settings, [batch_id], judges=["large"]).batch_id) == "off"
    assert BatchOptions.from_row({}).validate == "off", "batches of earlier versions go on as they were"


def test_explored_answers_are_flagged(store: Store, tmp_path: Path) -> None:
    settings = learning.settings(tmp_path)
    options = options_for(settings, explore=0.5)
    batch_id = submit.submit(store, from_items(["p"], settings), source="test", options=options)
    with store.read() as connection:
        row = exploration.exploration_batch_of(connection, learning.batch_no(store, batch_id))
    assert row is not None
    assert row["options"]["validate"] == "flag"


def validate_of(store: Store, batch_id: str) -> str:
    with store.read() as connection:
        return batches.options_of(connection, learning.batch_no(store, batch_id)).validate


def test_a_batch_whose_data_were_deleted_has_no_labels(store: Store, collected: int) -> None:
    with store.write() as connection:
        connection.execute(update(request).values(body=""))
    assert list(labels.checked(store)) == []
