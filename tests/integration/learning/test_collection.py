"""Collection: the sampled prompts, the answers to buy, and those that are paid for already."""

from pathlib import Path

import pytest

from tasks.errors import UsageError
from tasks.learning import collection, collection_plan
from tasks.learning.collection_plan import CategorisedPrompt
from tasks.store.engine import Store
from tasks.submission import submit
from tasks.submission.options import options_for
from tasks.submission.source import from_items
from tests.support import learning, store_builders
from tests.support.comparisons import assert_batch, assert_fields
from tests.support.learning import MODELS

TEXTS = ["Name three primes.", "Write a haiku about rain.", "Why is the sky blue, and not green?"]


def test_every_candidate_answers_every_sampled_prompt(store: Store, tmp_path: Path) -> None:
    settings = learning.settings(tmp_path)
    batch_id = learning.collect(store, settings, TEXTS)
    assert learning.answer_all(store, batch_id) == 9
    number = learning.batch_no(store, batch_id)
    row = store_builders.row(store, number)
    assert_batch(row, status="completed", purpose="collect", succeeded=9)
    assert [set(found) for found in learning.samples(store).values()] == [set(MODELS)] * 3
    store_builders.check_ledger(store, number)


def test_answers_that_any_batch_has_paid_for_are_not_bought_again(store: Store, tmp_path: Path) -> None:
    settings = learning.settings(tmp_path)
    # One prompt was answered by request of its model, one by the router's choice, one failed.
    lines = learning.parsed(TEXTS, settings)
    named = store_builders.submit(store, [store_builders.line(1, body=lines[0].body, model="small")])
    routed = store_builders.submit(
        store,
        [store_builders.line(1, body=lines[1].body, model=None), *store_builders.lines(1, model=None)[1:]],
    )
    failed = store_builders.submit(store, [store_builders.line(1, body=lines[2].body, model="small")])
    store_builders.settle_all(store, named, model="small")
    store_builders.route_all(store, routed, model="large")
    store_builders.settle_all(store, routed, model="large")
    store_builders.reserve(store, (held := store_builders.held(store, failed)))
    store_builders.settle(store, held, next=store_builders.REFUSED)

    planned = collection_plan.plan(store, settings, [CategorisedPrompt(one) for one in lines], share=1.0)
    summary = planned.summary()
    assert_fields(summary, prompts=3, reused=2, bought=7)
    batch_id = collection.collect(store, settings, planned, source="test").batch_id
    assert batch_id is not None
    assert learning.answer_all(store, batch_id) == 7
    assert [set(found) for found in learning.samples(store).values()] == [set(MODELS)] * 3
    again = collection_plan.plan(store, settings, [CategorisedPrompt(one) for one in lines], share=1.0)
    assert again.missing == []


def test_a_collection_without_anything_to_buy_is_complete_at_once(store: Store, tmp_path: Path) -> None:
    settings = learning.settings(tmp_path)
    learning.answer_all(store, learning.collect(store, settings, TEXTS))
    batch_id = learning.collect(store, settings, TEXTS)
    row = store_builders.row(store, learning.batch_no(store, batch_id))
    assert_batch(row, status="completed", total=0)
    assert learning.count(store, "sampled_prompt") == 6


def test_a_stored_batch_is_sampled_by_the_categories_it_was_routed_in(store: Store, tmp_path: Path) -> None:
    settings = learning.settings(tmp_path)
    texts = [f"{word}: what is the best {word}?" for word in ("apple", "river", "stone", "cloud", "letter")]
    source = submit.submit(
        store,
        learning.parsed([*texts, texts[0]], settings),
        source="test",
        options=options_for(settings),
    )
    number = learning.batch_no(store, source)
    store_builders.route_all(store, number, model="small", categories=["coding", "other"])
    found = list(collection.from_batch(store, source))
    assert [one.parsed.prompt for one in found] == texts, "a duplicate is no prompt of its own"
    assert [one.category for one in found] == ["coding", "other", "coding", "other", "coding"]
    planned = collection_plan.plan(store, settings, found, share=0.4)
    assert planned.summary().categories == {"coding": 1, "other": 1}


def test_the_budget_is_that_of_any_batch(store: Store, tmp_path: Path) -> None:
    settings = learning.settings(tmp_path)
    items = [CategorisedPrompt(one) for one in learning.parsed(TEXTS, settings)]
    planned = collection_plan.plan(store, settings, items, share=1.0)
    collected = collection.collect(store, settings, planned, source="test", budget=250)
    number = learning.batch_no(store, str(collected.batch_id))
    granted = store_builders.reserve(store, store_builders.held(store, number))
    assert (len(granted.granted), len(granted.waiting)) == (2, 7)


def test_one_model_or_no_prompt_is_refused(store: Store, tmp_path: Path) -> None:
    settings = learning.settings(tmp_path)
    with pytest.raises(UsageError, match="at least two models"):
        collection_plan.plan(store, settings, [], share=1.0, models=["small"])
    with pytest.raises(UsageError, match="no prompts"):
        collection_plan.plan(store, settings, [], share=1.0)


def test_a_model_that_cannot_answer_a_prompt_is_skipped_and_counted(store: Store, tmp_path: Path) -> None:
    settings = learning.settings(tmp_path)
    small, *others = settings.models
    blind = small.capabilities.model_copy(update={"image": False})
    models = (small.model_copy(update={"capabilities": blind}), *others)
    settings = settings.model_copy(update={"models": models})
    image = {"type": "image_url", "image_url": {"url": "https://example.org/a.png"}}
    lines = [{"messages": [{"role": "user", "content": [{"type": "text", "text": "?"}, image]}]}, "plain"]
    options = options_for(settings)
    source = submit.submit(store, from_items(lines, settings), source="test", options=options)
    store_builders.route_all(store, learning.batch_no(store, source), model=others[0].name, categories=["x"])
    planned = collection_plan.plan(store, settings, list(collection.from_batch(store, source)), share=1.0)
    assert planned.summary().skipped == 1
    collected = collection.collect(store, settings, planned, source="test")
    assert (collected.bought, collected.reused) == (2 * len(models) - 1, 0)
    assert learning.answer_all(store, str(collected.batch_id)) == collected.bought


def test_repeats_are_bought_one_by_one_and_become_rows_of_their_own(store: Store, tmp_path: Path) -> None:
    settings = learning.settings(tmp_path)
    learning.answer_all(store, learning.collect(store, settings, TEXTS[:1]))
    items = [CategorisedPrompt(one) for one in learning.parsed(TEXTS[:2], settings)]
    planned = collection_plan.plan(store, settings, items, share=1.0, repeat=3)
    summary = planned.summary()
    assert_fields(summary, prompts=2, repeat=3, reused=3, bought=15)
    assert sum(summary.categories.values()) == 2
    batch_id = str(collection.collect(store, settings, planned, source="test").batch_id)
    assert learning.answer_all(store, batch_id) == 15, "equal requests are not duplicates of each other"
    row = store_builders.row(store, learning.batch_no(store, batch_id))
    assert_batch(row, status="completed", succeeded=15, duplicates=0)
    answers = [tuple(found.values()) for found in learning.samples(store).values()]
    bought = [one for found in answers[1:] for one in found]
    assert len(answers) == 7
    assert len(set(bought)) == len(bought) == 18

    again = collection_plan.plan(store, settings, items, share=1.0, repeat=3)
    assert again.missing == [], "every answer that is paid for is used, each one once"
    assert len(collection_plan.plan(store, settings, items, share=1.0, repeat=4).missing) == 6
