"""Requests of other endpoints than chat completions in the learning loop: those with texts for answers."""

from __future__ import annotations

import json
from pathlib import Path

from router_core.judging.verdicts import Judgement, Verdict
from tasks.learning import collection, collection_plan, labels
from tasks.settings import ModelSettings, Settings
from tasks.stages.judging.texts import answer_of, question_of
from tasks.store.engine import Store
from tasks.store.learning import run_queries
from tasks.submission import submit
from tasks.submission.options import options_for
from tasks.submission.source import from_items
from tests.support import learning, store_builders

LINES = [
    {"url": "/v1/responses", "input": "Why is the sky blue?", "system": "be brief"},
    {"url": "/v1/completions", "prompt": "Once upon a time"},
    {"url": "/v1/embeddings", "input": "a vector, please", "model": "small"},
    {"url": "/v1/moderations", "input": "is this bad?"},
    {"prompt": "Name three primes."},
]


def settings(tmp_path: Path) -> Settings:
    models = [
        ModelSettings(name=name, litellm=f"openai/{name}", input_price=1, output_price=1, endpoints=paths)
        for name, paths in {"small": None, "large": None, "guard": ("/v1/moderations",)}.items()
    ]
    return Settings(home=tmp_path, models=tuple(models))


def test_prompts_with_text_answers_are_collected_with_their_endpoint(store: Store, tmp_path: Path) -> None:
    chosen = settings(tmp_path)
    batch_id = submit.submit(store, from_items(LINES, chosen), source="test", options=options_for(chosen))
    found = list(collection.from_batch(store, batch_id))
    assert [(one.parsed.endpoint, one.parsed.prompt) for one in found] == [
        ("/v1/responses", "Why is the sky blue?"),
        ("/v1/completions", "Once upon a time"),
        ("/v1/chat/completions", "Name three primes."),
    ]
    planned = collection_plan.plan(store, chosen, found, share=1.0, models=("small", "large"))
    collected = collection.collect(store, chosen, planned, source="test").batch_id
    assert collected is not None
    held = store_builders.held(store, learning.batch_no(store, collected))
    assert sorted({request.endpoint for request in held}) == [
        "/v1/chat/completions",
        "/v1/completions",
        "/v1/responses",
    ]
    prompt_ids = list(learning.samples(store))
    with store.read() as connection:
        asked = run_queries.questions(connection, prompt_ids)
    questions = [question_of(body, endpoint) for endpoint, body in asked.values()]
    assert sorted(questions) == [
        "Name three primes.",
        "Once upon a time",
        "system: be brief\n\nuser: Why is the sky blue?",
    ]


def test_judges_compare_the_texts_of_each_endpoint() -> None:
    call = {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"}
    parts = [{"type": "output_text", "text": "blue"}]
    response = {"output": [{"type": "message", "role": "assistant", "content": parts}, call]}
    as_chat = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    assert answer_of(response, "/v1/responses") == f"blue\n{json.dumps([as_chat])}"
    assert answer_of({"choices": [{"text": "there was"}]}, "/v1/completions") == "there was"
    assert answer_of({"data": [{"embedding": [1.0]}]}, "/v1/embeddings") == ""


def test_labels_name_the_prompt_of_a_response(store: Store, tmp_path: Path) -> None:
    chosen = settings(tmp_path)
    batch_id = submit.submit(store, from_items(LINES[:1], chosen), source="test", options=options_for(chosen))
    planned = collection_plan.plan(
        store, chosen, collection.from_batch(store, batch_id), share=1.0, models=("small", "large")
    )
    collection.collect(store, chosen, planned, source="test")
    [prompt_id] = learning.samples(store)
    verdict = Judgement(prompt_id, "judge", ("large", "small"), Verdict.FIRST, Verdict.SECOND)
    learning.store_verdicts(store, [verdict])
    [labelled] = labels.export(store)
    assert labelled.prompt == "Why is the sky blue?"
