"""Answers of earlier batches in place of calls, with a real store, Redis and provider."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from tasks.formats.writing import ResultFormat, write_results
from tasks.store import results
from tasks.store.engine import Store
from tasks.store.tables import attempt, batch, outcome
from tests.support.comparisons import assert_batch
from tests.support.dispatch_harness import DispatchHarness
from tests.support.invariants import check_batch
from tests.support.unreadable_options import break_options
from workers.simulator import SimulatorProcess

MakeHarness = Callable[..., DispatchHarness]
CHEAPEST, NEXT = "sim-nano", "sim-coder"


@pytest.fixture
def harness(store: Store, redis_url: str, simulator: SimulatorProcess) -> Iterator[DispatchHarness]:
    simulator.client.reset()
    yield DispatchHarness(store, redis_url, simulator)
    simulator.client.reset()


def cold(*prompts: str, **more: Any) -> list[dict[str, Any]]:
    return [{"prompt": prompt, "temperature": 0, **more} for prompt in prompts]


def run(harness: DispatchHarness, items: list[Any], **options: Any) -> dict[str, Any]:
    row = harness.run(harness.submit(items, **options))
    check_batch(harness.store, row["id"])
    return row


def lines(harness: DispatchHarness, row: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {"custom_id": one.custom_id, "body": one.body, **one.waybill}
        for one in results.iter_results(harness.store, row["id"])
    ]


def test_an_equal_request_is_answered_without_a_call(harness: DispatchHarness) -> None:
    first = run(harness, cold("a", "b", "c"))
    again = run(harness, cold("b", "a", "d", "a"), reuse="30d")
    assert_batch(again, succeeded=4, calls=1, reused=2, saved=first["spent"] - _cost(harness, first, 2))
    b, a, d, twin = lines(harness, again)
    earlier = {one["custom_id"]: one for one in lines(harness, first)}
    assert b["reused_from"] == {"batch": first["id"], "custom_id": "line-2"}
    assert b["body"] == earlier["line-2"]["body"]
    assert (b["cost_usd"], b["attempts"], b["latency_ms"]) == (0, 0, None)
    assert a["saved_usd"] == earlier["line-1"]["cost_usd"]
    assert "reused_from" not in d
    assert (twin["duplicate_of"], twin["reused_from"]["custom_id"]) == ("line-2", "line-1")
    assert "saved_usd" not in twin
    assert sum(one.get("saved_usd", 0) for one in (b, a, d, twin)) == pytest.approx(again["saved"] / 1e6)


def _cost(harness: DispatchHarness, row: dict[str, Any], index: int) -> int:
    return round(lines(harness, row)[index]["cost_usd"] * 1_000_000)


def test_without_the_option_every_request_is_called(harness: DispatchHarness) -> None:
    run(harness, cold("a"))
    assert_batch(run(harness, cold("a")), calls=1, reused=0)


def test_answers_that_were_drawn_at_random_are_taken_only_on_request(harness: DispatchHarness) -> None:
    run(harness, ["a", {"prompt": "b", "seed": 7}])
    assert_batch(run(harness, ["a", {"prompt": "b", "seed": 7}], reuse="1h"), calls=1, reused=1)
    assert_batch(run(harness, ["a"], reuse="1h", reuse_any=True), calls=0, reused=1)


def test_a_request_that_names_the_model_and_one_that_was_routed_to_it_are_equal(
    harness: DispatchHarness,
) -> None:
    named = harness.named(CHEAPEST)
    run(harness, cold("routed") + cold("named", model=named))
    again = run(harness, cold("routed", model=named) + cold("named"), reuse="1d")
    assert_batch(again, calls=0, reused=2)


def test_another_model_another_parameter_or_an_older_answer_is_no_equal(harness: DispatchHarness) -> None:
    first = run(harness, cold("a"))
    others = cold("a", model=harness.named(NEXT)) + cold("a", max_tokens=5) + cold("a ")
    assert_batch(run(harness, others, reuse="1d"), calls=3, reused=0)
    with harness.store.write() as connection:
        mine = attempt.c.batch_no == first["no"]
        connection.execute(update(attempt).where(mine).values(sent_at=attempt.c.sent_at - 7_200_000))
    assert_batch(run(harness, cold("a"), reuse="1h"), calls=1, reused=0)
    assert_batch(run(harness, cold("a"), reuse="3h"), calls=0, reused=1)


def test_an_answer_that_was_reused_is_no_source_and_renews_no_age(harness: DispatchHarness) -> None:
    first = run(harness, cold("a"))
    run(harness, cold("a"), reuse="1h")
    _delete_answers(harness.store, first)
    assert_batch(run(harness, cold("a"), reuse="1h"), calls=1, reused=0)


def _delete_answers(store: Store, row: dict[str, Any]) -> None:
    with store.write() as connection:
        connection.execute(update(outcome).where(outcome.c.batch_no == row["no"]).values(body=None))


@pytest.mark.parametrize(
    ("found", "reused"),
    [
        ('"finish_reason":"content_filter"', 0),
        ('"incomplete_details":{"reason":"content_filter"}', 0),
        ('"finish_reason":"length"', 1),
    ],
)
def test_an_answer_that_a_filter_cut_is_not_reused_and_one_at_the_token_limit_is(
    harness: DispatchHarness, found: str, reused: int
) -> None:
    first = run(harness, cold("a"))
    with harness.store.write() as connection:
        mine = outcome.c.batch_no == first["no"]
        body = str(connection.execute(outcome.select().where(mine)).mappings().one()["body"])
        changed, number = re.subn('"finish_reason":"[a-z]+"', found, body)
        assert number == 1
        connection.execute(update(outcome).where(mine).values(body=changed))
    assert_batch(run(harness, cold("a"), reuse="1d"), succeeded=1, reused=reused)


def test_of_several_answers_the_newest_is_taken(harness: DispatchHarness) -> None:
    _, newest = run(harness, cold("a")), run(harness, cold("a"))
    [line] = lines(harness, run(harness, cold("a"), reuse="1d"))
    assert line["reused_from"]["batch"] == newest["id"]


def test_a_reply_without_an_answer_is_not_reused(harness: DispatchHarness) -> None:
    _note(harness.store, run(harness, cold("a")), without_answer=True)
    assert_batch(run(harness, cold("a"), reuse="1d"), calls=1, reused=0)


def test_the_remarks_on_an_answer_go_with_it(harness: DispatchHarness) -> None:
    _note(harness.store, run(harness, cold("a")), mended=["logprobs"])
    [line] = lines(harness, run(harness, cold("a"), reuse="1d"))
    assert line["mended"] == ["logprobs"]
    assert "reused_from" in line


def _note(store: Store, row: dict[str, Any], **notes: Any) -> None:
    with store.write() as connection:
        connection.execute(update(outcome).where(outcome.c.batch_no == row["no"]).values(notes=notes))


def test_failures_are_not_reused(harness: DispatchHarness) -> None:
    run(harness, cold("[[sim:content_policy]] a"), fallback=False)
    assert_batch(
        run(harness, cold("[[sim:content_policy]] a"), fallback=False, reuse="1d"), calls=1, failed=1
    )


def test_another_owner_s_answers_are_not_reused(harness: DispatchHarness) -> None:
    first = run(harness, cold("a"))
    _own(harness.store, first["id"], "key-1")
    assert_batch(run(harness, cold("a"), reuse="1d"), calls=1, reused=0)
    batch_id = harness.submit(cold("a"), reuse="1d")
    _own(harness.store, batch_id, "key-1")
    assert_batch(harness.run(batch_id), calls=0, reused=1)
    batch_id = harness.submit(cold("a"), reuse="1d")
    _own(harness.store, batch_id, "key-2")
    assert_batch(harness.run(batch_id), calls=1, reused=0)


def _own(store: Store, batch_id: str, owner: str) -> None:
    with store.write() as connection:
        connection.execute(update(batch).where(batch.c.id == batch_id).values(owner=owner))


def test_a_name_that_stood_for_another_model_is_no_equal(harness: DispatchHarness) -> None:
    first = run(harness, cold("a"))
    with harness.store.write() as connection:
        options = {**first["options"], "deployments": {harness.named(CHEAPEST): "openai/older"}}
        connection.execute(update(batch).where(batch.c.no == first["no"]).values(options=options))
    assert_batch(run(harness, cold("a"), reuse="1d"), calls=1, reused=0)


def test_an_answer_that_was_not_checked_is_not_taken_where_answers_are(harness: DispatchHarness) -> None:
    run(harness, cold("a"))
    checked = {"validate": "flag", "validators": ("regex:.",)}
    assert_batch(run(harness, cold("a"), reuse="1d", **checked), calls=1, reused=0)
    assert_batch(run(harness, cold("a"), reuse="1d", **checked), calls=0, reused=1)
    other = {"validate": "flag", "validators": ("regex:..",)}
    assert_batch(run(harness, cold("a"), reuse="1d", **other), calls=1, reused=0)


def test_an_answer_that_did_not_fit_is_not_reused(harness: DispatchHarness) -> None:
    checked = {"validate": "flag", "validators": ("regex:^no answer is like this$",)}
    run(harness, cold("a"), **checked)
    assert_batch(run(harness, cold("a"), reuse="1d", **checked), calls=1, reused=0)
    assert_batch(run(harness, cold("a"), reuse="1d"), calls=1, reused=0)


def test_what_is_explored_is_called_since_its_answers_are_labels_with_a_price(
    harness: DispatchHarness,
) -> None:
    for model in (CHEAPEST, NEXT):
        run(harness, cold("a", model=harness.named(model)))
    two = tuple(harness.named(model) for model in (CHEAPEST, NEXT))
    batch_id = harness.submit(cold("a"), reuse="1d", explore=1.0, models=two)
    assert_batch(harness.run(batch_id, until=lambda row: row["succeeded"] == 1), calls=1, reused=0)
    with harness.store.read() as connection:
        mine = batch.c.payer_no == harness.row(batch_id)["no"]
        others = connection.execute(select(batch.c.id).where(mine)).scalar_one()
    assert_batch(harness.run(others, until=lambda row: row["succeeded"] == 1), calls=1, reused=0)


def test_a_batch_with_no_money_left_still_gets_answers_that_are_there(harness: DispatchHarness) -> None:
    run(harness, cold("a"))
    row = harness.run(harness.submit(cold("a", "b"), reuse="1d", budget=0))
    assert_batch(row, succeeded=1, failed=1, spent=0, calls=0, reused=1)


def test_every_format_of_results_says_where_an_answer_comes_from(
    harness: DispatchHarness, tmp_path: Path
) -> None:
    first = run(harness, cold("a"))
    row = run(harness, cold("a"), reuse="1d")
    for form in ResultFormat:
        target = tmp_path / f"out.{form.value}"
        write_results(results.iter_results(harness.store, row["id"]), target, format=form)
        assert first["id"].encode() in target.read_bytes(), form
    [line] = (tmp_path / "out.openai").read_text().splitlines()
    assert json.loads(line)["response"]["body"]["waybill"]["reused_from"]["batch"] == first["id"]


def test_a_large_group_is_answered_by_one_look(harness: DispatchHarness) -> None:
    """Equal requests of an earlier batch without dedupe are read once for each batch."""
    run(harness, cold("a") * 40 + cold(*(f"say {n}" for n in range(40))), dedupe="off")
    again = run(harness, cold("a") + cold(*(f"say {n}" for n in range(40))), reuse="1d")
    assert_batch(again, calls=0, reused=41)


def test_embeddings_and_moderations_are_answered_in_the_same_way(harness: DispatchHarness) -> None:
    def line(custom_id: str, url: str, given: object) -> dict[str, Any]:
        body = {"model": harness.named(CHEAPEST), "input": given}
        return {"custom_id": custom_id, "method": "POST", "url": url, "body": body}

    items = [
        line("one", "/v1/embeddings", "first"),
        line("several", "/v1/embeddings", ["first", "second"]),
        line("harmless", "/v1/moderations", "hello"),
        line("text", "/v1/responses", "hello"),
    ]
    first = run(harness, items)
    again = run(harness, items, reuse="1d")
    assert_batch(again, succeeded=4, calls=1, reused=3)
    bodies = [{one["custom_id"]: one["body"] for one in lines(harness, row)} for row in (first, again)]
    assert {name: bodies[0][name] for name in ("one", "several", "harmless")} == {
        name: bodies[1][name] for name in ("one", "several", "harmless")
    }


@pytest.mark.parametrize("form", [{"models": None}, {"deployments": None}], ids=str)
def test_a_batch_whose_options_a_newer_waybill_stored_gives_no_answers_and_holds_up_none(
    harness: DispatchHarness, form: Any
) -> None:
    first, second = run(harness, cold("a")), run(harness, cold("b"))
    break_options(harness.store, first["no"], form)
    again = run(harness, cold("a", "b"), reuse="30d")
    assert_batch(again, succeeded=2, calls=1, reused=1, saved=second["spent"])
