"""A model that joins: explored first, not trusted unseen, learnt from a handful; and one that leaves."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from router_core.router import Router
from tasks.learning import labels
from tasks.settings import ModelSettings, Settings
from tasks.stages.context import WorkerContext
from tasks.stages.embed import embed_chunk
from tasks.stages.route import route_chunk
from tasks.store.engine import Store
from tasks.store.learning import exploration
from tasks.store.learning.exploration import EXPLORATION
from tasks.store.schema import ensure_schema
from tasks.store.tables import chunk, decision
from tasks.submission import submit
from tasks.submission.source import from_items
from tests.support import learning
from workers.routers import promotion
from workers.routers.retraining import LabelWeighting, Retrained, retrain

CODE = "Write a Python function that sorts list number {n} and explain its complexity."
POEM = "Write a short melancholy poem about the moon over harbour {n}."
OLD = ("coder", "writer")


def settings_of(tmp_path: Path, redis_url: str, *names: str, prior: float | None = None) -> Settings:
    models = [
        ModelSettings(
            name=name,
            litellm=f"x/{name}",
            input_price=1,
            output_price=1,
            prior=None if name in OLD else prior,
        )
        for name in names
    ]
    return Settings.model_validate({"home": tmp_path, "models": models, "redis": {"url": redis_url}})


@pytest.fixture
def settings(tmp_path: Path, redis_url: str) -> Settings:
    return settings_of(tmp_path, redis_url, *OLD)


@pytest.fixture
def sqlite(settings: Settings) -> Store:
    store = Store(settings.store_url)
    ensure_schema(store)
    return store


def prompt(n: int) -> str:
    return (CODE if n % 2 == 0 else POEM).format(n=n)


def label(store: Store, tmp_path: Path, *, start: int, number: int, fresh: float | None = None) -> None:
    """People prefer each old model for its own kind; `fresh` is what the new one gets."""
    rows = []
    for n in range(start, start + number):
        scores = {"coder": float(n % 2 == 0), "writer": float(n % 2)}
        if fresh is not None:
            scores["fresh"] = fresh
        rows.append({"id": f"p{n}", "prompt": prompt(n), "scores": scores})
    file = tmp_path / f"people-{start}.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    labels.import_human(store, file, annotator="ann", on_error=print)


def promote(store: Store, settings: Settings, router: Router, folder: Path) -> str:
    router.save(folder)
    version = promotion.resolve(store, str(folder))
    promotion.promote(store, settings, version)
    return version


def trained(store: Store, settings: Settings, output: Path) -> Retrained:
    done = retrain(store, settings, output, age=LabelWeighting(), seed=1, say=lambda _: None)
    promotion.promote(store, settings, done.router.version)
    return done


def routed(
    settings: Settings, store: Store, *, start: int, number: int, **options: Any
) -> tuple[int, list[Any]]:
    """Submit, embed and route prompts; returns the batch's number and its decisions."""
    context = WorkerContext(settings)
    items = from_items([prompt(n) for n in range(start, start + number)], settings)
    chosen = submit.options_for(settings, **options)
    batch_id = submit.submit(store, items, source="test", options=chosen)
    batch_no = learning.batch_no(store, batch_id)
    for stage, work in (("embed", embed_chunk), ("route", route_chunk)):
        query = select(chunk.c.id, chunk.c.epoch).where(chunk.c.batch_no == batch_no, chunk.c.stage == stage)
        with store.read() as connection:
            waiting = connection.execute(query.where(chunk.c.state == "queued")).all()
        for one in waiting:
            work(context, one.id, one.epoch)
    with store.read() as connection:
        query = select(decision).where(decision.c.batch_no == batch_no).order_by(decision.c.request_id)
        return batch_no, list(connection.execute(query))


def test_a_new_model_is_explored_first_never_trusted_unseen_and_learnt_from_a_handful(
    sqlite: Store, settings: Settings, coder_and_writer: Router, tmp_path: Path, redis_url: str
) -> None:
    label(sqlite, tmp_path, start=0, number=110)
    promote(sqlite, settings, coder_and_writer, tmp_path / "before")

    joined = settings_of(tmp_path, redis_url, *OLD, "fresh", prior=5.0)  # its owner expects far too much
    batch_no, rows = routed(joined, sqlite, start=1000, number=200, explore=0.3)
    drawn = [row for row in rows if row.reason == EXPLORATION]
    assert sum(row.model == "fresh" for row in drawn) > len(drawn) / 2, "it is drawn first"
    assert {row.reason for row in rows if row.model == "fresh"} == {EXPLORATION}, "and never chosen unseen"
    assert all(0 < row.propensity <= 1 for row in rows)
    greedy = [json.loads(row.ranking) for row in rows if row.reason != EXPLORATION]
    assert {ranking.index("fresh") for ranking in greedy} == {1}, "by its prior it takes over next"
    with sqlite.read() as connection:
        beside = exploration.exploration_batch_of(connection, batch_no)
    assert beside is not None
    assert beside["total"] == 2 * len(drawn), "all others answer what was drawn"

    label(sqlite, tmp_path, start=1000, number=6, fresh=2.0)  # a handful of lucky answers
    done = trained(sqlite, settings_of(tmp_path, redis_url, *OLD, "fresh"), tmp_path / "after")
    assert done.router.models == ("coder", "fresh", "writer")
    assert done.router.training["scores_by_model"]["fresh"] <= 6
    _, rows = routed(joined, sqlite, start=2000, number=200)
    right = sum(row.model == ("coder" if n % 2 == 0 else "writer") for n, row in enumerate(rows))
    assert right > 190, "what is known to be right is kept"


def test_a_model_that_leaves_the_settings_gets_no_prompt_from_the_next_chunk_on(
    sqlite: Store, settings: Settings, coder_and_writer: Router, tmp_path: Path, redis_url: str
) -> None:
    promote(sqlite, settings, coder_and_writer, tmp_path / "router")
    left = settings_of(tmp_path, redis_url, "coder", "other")
    _, rows = routed(left, sqlite, start=1000, number=100)
    assert {row.model for row in rows} == {"coder"}
    assert all("writer" not in row.ranking for row in rows)
    alone = settings_of(tmp_path, redis_url, "stranger", "other")
    _, rows = routed(alone, sqlite, start=2000, number=10)
    assert {row.model for row in rows} <= {"stranger", "other"}, "of models it does not know, one answers"
