"""Builders for tests of routers in a store: prompts whose right model is known, labels, decisions, roles."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import select

from router_core.router import Router
from tasks.learning import label_import
from tasks.settings import ModelSettings, Settings
from tasks.stages.context import WorkerContext
from tasks.stages.embed import embed_chunk
from tasks.stages.route import route_chunk
from tasks.store.engine import Store
from tasks.store.learning import exploration
from tasks.store.routers import roles, versions
from tasks.store.tables import batch, chunk, decision
from tasks.submission import submit
from tasks.submission.options import options_for
from tasks.submission.source import from_items
from tests.support import learning
from workers.routers import promotion
from workers.routers.retraining import LabelWeighting, RetrainResult, retrain

#: the coder is good at the first kind of prompt, the writer at the second
CODE = "Write a Python function that sorts list number {n} and explain its complexity."
POEM = "Write a short melancholy poem about the moon over harbour {n}."
MODELS = ("coder", "writer")
#: prompts of four kinds: as many as novelty can be measured with
KINDS = {
    "code": CODE,
    "poem": POEM,
    "sums": "A train has {n} seats in 12 coaches; how many seats are in one coach on average?",
    "mail": "Summarise this e-mail in one sentence: Dear Ms Gray, order {n} was sent to you on Monday.",
}


def prompt(n: int) -> str:
    """Return the nth prompt: the even ones ask for code, the odd ones for a poem."""
    return (CODE if n % 2 == 0 else POEM).format(n=n)


def right_model(n: int) -> str:
    """Return the model that is good at the nth prompt."""
    return MODELS[n % 2]


def settings_of(tmp_path: Path, redis_url: str, *names: str, prior: float | None = None) -> Settings:
    """Return settings with these models; those that are not among MODELS have the prior."""
    models = [
        ModelSettings(
            name=name,
            litellm=f"x/{name}",
            input_price=1,
            output_price=1,
            prior=None if name in MODELS else prior,
        )
        for name in names
    ]
    return Settings.model_validate({"home": tmp_path, "models": models, "redis": {"url": redis_url}})


# Labels and training


def import_labels(
    store: Store, tmp_path: Path, *, start: int, number: int, fresh: float | None = None
) -> None:
    """Import people's labels, by which each of MODELS is good at its own prompts.

    Args:
        store: The store.
        tmp_path: Where the file of labels is written.
        start: The first prompt's number.
        number: How many prompts are labelled.
        fresh: The score of a third model, `fresh`, for each of them.
    """
    rows = []
    for n in range(start, start + number):
        scores = {model: float(model == right_model(n)) for model in MODELS}
        if fresh is not None:
            scores["fresh"] = fresh
        rows.append({"id": f"p{n}", "prompt": prompt(n), "scores": scores})
    file = tmp_path / f"people-{start}.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    label_import.import_human(store, file, annotator="ann", on_error=print)


def retrain_and_promote(store: Store, settings: Settings, output: Path) -> RetrainResult:
    """Train a router on the store's labels and make it the champion."""
    done = retrain(store, settings, output, weighting=LabelWeighting(), seed=1, notify=lambda _: None)
    promotion.promote(store, settings, done.router.version)
    return done


# Routing


def route_prompts(
    settings: Settings, store: Store, *, start: int, number: int, **options: Any
) -> tuple[int, list[Any]]:
    """Submit, embed and route prompts; returns the batch's number and its decisions."""
    return route_lines(settings, store, [prompt(n) for n in range(start, start + number)], **options)


def route_lines(
    settings: Settings, store: Store, lines: Sequence[object], **options: Any
) -> tuple[int, list[Any]]:
    """Submit, embed and route lines; returns the batch's number and its decisions."""
    context = WorkerContext(settings)
    items = from_items(lines, settings)
    chosen = options_for(settings, **options)
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


def explore_and_label(
    store: Store, settings: Settings, tmp_path: Path, *, share: float, number: int, start: int = 1000
) -> None:
    """Route prompts, draw a share of them for exploration, answer them by both models, and label them."""
    batch_no, _ = route_prompts(settings, store, start=start, number=number, explore=share)
    with store.read() as connection:
        beside = exploration.exploration_batch_of(connection, batch_no)
        batch_id = str(connection.execute(select(batch.c.id).where(batch.c.no == batch_no)).scalar_one())
    assert beside is not None, f"no prompt of batch {batch_no} was drawn"
    for one in (batch_id, beside["id"]):
        learning.answer_all(store, one)
    import_labels(store, tmp_path, start=start, number=number)


# Versions and roles


def promote_router(store: Store, settings: Settings, router: Router, folder: Path) -> str:
    """Save a router, register it and make it the champion; returns its version."""
    router.save(folder)
    version = promotion.register(store, folder, source="a test")
    promotion.promote(store, settings, version)
    return version


def start_canary(store: Store, router: Router, folder: Path, *, share: float) -> str:
    """Save a router, register it and make it the canary; returns its version."""
    router.save(folder)
    version = promotion.register(store, folder, source="a test")
    with store.write() as connection:
        roles.start_canary(connection, version, share=share)
    return version


def register(store: Store, *names: str) -> None:
    """Register versions that hold no real router."""
    with store.write() as connection:
        for name in names:
            files = {"manifest.json": name.encode(), "part.npz": b"\x00" * 3}
            assert versions.register(connection, name, files, source="a test", figures={"models": ["a"]})


def promote(store: Store, version: str) -> None:
    """Make a registered version the champion."""
    with store.write() as connection:
        roles.promote(connection, version, reason="asked")


def current_roles(store: Store) -> roles.Roles:
    """Return the champion, the canary and its share."""
    with store.read() as connection:
        return roles.read(connection)
