"""Routing among the models that can answer: the choice, the ranking that follows, and exploration."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import select

from router_core.predictors.answer_tokens import AnswerTokens
from router_core.router import Router
from tasks.settings import Settings
from tasks.store import results
from tasks.store.engine import Store
from tasks.store.learning import exploration
from tasks.store.tables import batch, request
from tests.support.routers import CODE, MODELS, promote_router, prompt, route_lines

IMAGE = {"type": "image_url", "image_url": {"url": "https://example.org/a.png"}}
THREE = (*MODELS, "third")


def with_image(text: str) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": [{"type": "text", "text": text}, IMAGE]}]}


def blind(settings: Settings, *names: str) -> Settings:
    """The settings of three models, of which these take no images."""
    coder = settings.models[0]
    models = [
        coder.model_copy(update={"name": name, "capabilities": coder.capabilities.model_copy(
            update={"image": name not in names})})
        for name in THREE
    ]  # fmt: skip
    return settings.model_copy(update={"models": tuple(models)})


def test_an_image_is_routed_and_falls_back_only_among_models_that_take_it(
    sqlite: Store, settings: Settings, coder_and_writer: Router, tmp_path: Path
) -> None:
    promote_router(sqlite, settings, coder_and_writer, tmp_path / "router")
    texts = [CODE.format(n=n) for n in range(20)]
    lines = [with_image(text) if n % 2 else text for n, text in enumerate(texts)]
    batch_no, rows = route_lines(blind(settings, "coder"), sqlite, lines)
    assert {row.model for row in rows[::2]} == {"coder"}
    assert {row.model for row in rows[1::2]} == {"writer"}
    assert {tuple(json.loads(row.ranking)) for row in rows[1::2]} == {("writer", "third")}
    assert {set(json.loads(row.predicted)) == {"writer"} for row in rows[1::2]} == {True}
    with sqlite.read() as connection:
        stored = connection.execute(select(request.c.left_out).order_by(request.c.id)).scalars().all()
        moved = connection.execute(select(request.c.model).order_by(request.c.id)).scalars().all()
    assert stored == [None, '{"coder": "image"}'] * 10
    assert moved == ["coder", "writer"] * 10
    assert batch_no


def test_the_cost_rule_knows_whose_answers_are_long(
    sqlite: Store, settings: Settings, coder_and_writer: Router, tmp_path: Path
) -> None:
    for long, short in (("coder", "writer"), ("writer", "coder")):
        column = coder_and_writer.models.index(long)
        tokens = np.ones((coder_and_writer.predictors.ensemble.group_means.means.shape[0], 2))
        tokens[:, column] = 900.0
        router = replace(coder_and_writer, answer_tokens=AnswerTokens(tokens, np.ones((2, 2))))
        promote_router(sqlite, settings, router, tmp_path / long)
        cheapest = {"policy": "weighted", "cost_weight": 100.0}
        _, rows = route_lines(settings, sqlite, [prompt(n) for n in range(20)], **cheapest)
        assert {row.model for row in rows} == {short}
        limited = [{"prompt": prompt(n), "max_tokens": 1} for n in range(100, 120)]
        _, rows = route_lines(settings, sqlite, limited, policy="quality")
        assert {row.model for row in rows} == {"coder", "writer"}


def test_without_a_router_the_cheapest_that_can_answers(sqlite: Store, settings: Settings) -> None:
    models = blind(settings, "coder", "writer")
    _, rows = route_lines(models, sqlite, [with_image("?"), "?"])
    assert [row.model for row in rows] == ["third", "coder"]
    assert [json.loads(row.ranking) for row in rows] == [["third"], ["coder", "third", "writer"]]


def test_exploration_draws_only_among_models_that_can(sqlite: Store, settings: Settings) -> None:
    batch_no, rows = route_lines(
        blind(settings, "coder"), sqlite, [with_image(f"{n}?") for n in range(60)], explore=1.0
    )
    assert {row.model for row in rows} == {"writer", "third"}
    with sqlite.read() as connection:
        beside = exploration.exploration_batch_of(connection, batch_no)
        assert beside is not None
        others = select(request.c.model).where(request.c.batch_no == beside["no"])
        assert set(connection.execute(others).scalars()) == {"writer", "third"}
    assert beside["total"] == 60


def test_the_results_name_who_was_left_out_also_for_duplicates(sqlite: Store, settings: Settings) -> None:
    lines = [with_image("?"), with_image("?"), "?"]
    batch_no, _ = route_lines(blind(settings, "coder"), sqlite, lines, route_only=True)
    with sqlite.read() as connection:
        batch_id = connection.execute(select(batch.c.id).where(batch.c.no == batch_no)).scalar_one()
    shown = [record.waybill.get("left_out") for record in results.iter_results(sqlite, batch_id)]
    assert shown == [{"coder": "image"}, {"coder": "image"}, None]
