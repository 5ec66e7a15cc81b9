"""Cold start: a new model is explored first and learnt from a few labels; a removed model gets no prompts."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

from router_core.router import Router
from tasks.settings import Settings
from tasks.store.engine import Store
from tasks.store.learning import exploration
from tasks.store.learning.exploration import EXPLORATION
from tests.support.routers import (
    MODELS,
    import_labels,
    promote_router,
    retrain_and_promote,
    right_model,
    route_prompts,
    settings_of,
)


def test_a_new_model_is_explored_first_never_trusted_unseen_and_learnt_from_a_handful(
    sqlite: Store, settings: Settings, coder_and_writer: Router, tmp_path: Path, redis_url: str
) -> None:
    import_labels(sqlite, tmp_path, start=0, number=110)
    promote_router(sqlite, settings, coder_and_writer, tmp_path / "before")

    joined = settings_of(tmp_path, redis_url, *MODELS, "fresh", prior=5.0)  # its owner expects far too much
    batch_no, rows = route_prompts(joined, sqlite, start=1000, number=200, explore=0.3)
    drawn = [row for row in rows if row.reason == EXPLORATION]
    drawn_models = Counter(row.model for row in drawn)
    assert drawn_models["fresh"] > drawn_models.total() / 2, "it is drawn first"
    assert {row.reason for row in rows if row.model == "fresh"} == {EXPLORATION}, "and never chosen unseen"
    assert [row for row in rows if not 0 < row.propensity <= 1] == []
    greedy = [json.loads(row.ranking) for row in rows if row.reason != EXPLORATION]
    assert {ranking.index("fresh") for ranking in greedy} == {1}, "by its prior it takes over next"
    with sqlite.read() as connection:
        beside = exploration.exploration_batch_of(connection, batch_no)
    assert beside is not None
    assert beside["total"] == 2 * len(drawn), "all others answer what was drawn"

    import_labels(sqlite, tmp_path, start=1000, number=6, fresh=2.0)  # a handful of lucky answers
    done = retrain_and_promote(sqlite, settings_of(tmp_path, redis_url, *MODELS, "fresh"), tmp_path / "after")
    assert done.router.models == ("coder", "fresh", "writer")
    assert done.router.training["scores_by_model"]["fresh"] <= 6
    _, rows = route_prompts(joined, sqlite, start=2000, number=200)
    wrong = [(n, row.model) for n, row in enumerate(rows) if row.model != right_model(n)]
    assert len(wrong) < 10, "what is known to be right is kept"


def test_a_model_that_leaves_the_settings_gets_no_prompt_from_the_next_chunk_on(
    sqlite: Store, settings: Settings, coder_and_writer: Router, tmp_path: Path, redis_url: str
) -> None:
    promote_router(sqlite, settings, coder_and_writer, tmp_path / "router")
    left = settings_of(tmp_path, redis_url, "coder", "other")
    _, rows = route_prompts(left, sqlite, start=1000, number=100)
    assert {row.model for row in rows} == {"coder"}
    assert [row.ranking for row in rows if "writer" in row.ranking] == []
    alone = settings_of(tmp_path, redis_url, "stranger", "other")
    _, rows = route_prompts(alone, sqlite, start=2000, number=10)
    assert {row.model for row in rows} <= {"stranger", "other"}, "of models it does not know, one answers"
