"""Builders for tests of the learning loop: sampled prompts, answers and verdicts in a store."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from sqlalchemy import func, insert, select

from router_core.judging.verdicts import Judgement
from tasks.formats.requests import ParsedRequest
from tasks.learning import collection, collection_plan
from tasks.learning.collection_plan import CategorisedPrompt
from tasks.settings import ModelSettings, Settings
from tasks.store import batches, ledger
from tasks.store.engine import Store
from tasks.store.learning.tables import sampled_answer, sampled_prompt, verdict
from tasks.store.values import RequestResult
from tasks.submission.source import from_items
from tests.support import store_builders

MODELS = ("large", "medium", "small")


def settings(tmp_path: Path, *names: str) -> Settings:
    """Return settings with these models, each of a provider of its own; by default MODELS."""
    models = [
        ModelSettings(name=name, litellm=f"{name}-inc/{name}", input_price=1, output_price=1)
        for name in names or MODELS
    ]
    return Settings(home=tmp_path, models=tuple(models))


def parsed(texts: Sequence[str], settings: Settings) -> list[ParsedRequest]:
    """Return the requests that these prompts become."""
    return [item for item in from_items(list(texts), settings) if isinstance(item, ParsedRequest)]


def collect(store: Store, settings: Settings, texts: Sequence[str], *, category: str | None = None) -> str:
    """Submit a batch that collects answers to all these prompts; returns its id."""
    items = [CategorisedPrompt(one, category) for one in parsed(texts, settings)]
    planned = collection_plan.plan(store, settings, items, share=1.0)
    batch_id = collection.collect(store, settings, planned, source="test").batch_id
    assert batch_id is not None
    return batch_id


def answer_all(store: Store, batch_id: str, *, texts: Mapping[str, str] | None = None) -> int:
    """Answer every waiting request of a batch, each model with its text; returns how many there were."""
    number = batch_no(store, batch_id)
    held = store_builders.held(store, number)
    store_builders.reserve(store, held)
    settled = []
    for one in held:
        text = (texts or {}).get(one.model or "", f"the answer of {one.model} to {one.custom_id}")
        final = RequestResult(
            "succeeded", model=one.model, body=completion(text), status_code=200, latency_ms=1
        )
        settled.append(store_builders.settlement(one, final, cost=len(one.model or "")))
    with store.write() as connection:
        ledger.settle(connection, number, settled)
    return len(held)


def completion(text: str) -> str:
    """Return the body of a chat completion with this text."""
    return json.dumps({"choices": [{"message": {"role": "assistant", "content": text}}]})


def batch_no(store: Store, batch_id: str) -> int:
    """Return the number of a batch."""
    with store.read() as connection:
        return int(batches.find(connection, batch_id)["no"])


def samples(store: Store) -> dict[int, dict[str, int]]:
    """Return the request of each model's answer, by sampled prompt."""
    found: dict[int, dict[str, int]] = {}
    with store.read() as connection:
        for row in connection.execute(select(sampled_answer)):
            found.setdefault(row.prompt_id, {})[row.model] = row.request_id
        assert set(found) == set(connection.execute(select(sampled_prompt.c.id)).scalars())
    return found


def store_verdicts(store: Store, judgements: Sequence[Judgement], *, number: int = 1) -> None:
    """Store judgements as if judges had given them; `prompt` is the sampled prompt's id."""
    rows = []
    for one in judgements:
        for order, given in ((one.pair, one.forward), (one.pair[::-1], one.backward)):
            row = {
                "batch_no": 0,
                "prompt_id": one.prompt,
                "judge": one.judge,
                "number": number,
                "verdict": given,
            }
            rows.append({**row, "first": order[0], "second": order[1]})
    with store.write() as connection:
        connection.execute(insert(verdict), rows)


def count(store: Store, table: str) -> int:
    """Count the rows of one of the tables of sampled prompts, their answers, and verdicts."""
    tables = {"sampled_prompt": sampled_prompt, "sampled_answer": sampled_answer, "verdict": verdict}
    with store.read() as connection:
        return connection.execute(select(func.count()).select_from(tables[table])).scalar_one()
