"""Decisions on prompts that not every model may answer."""

import numpy as np
import pytest

from router_core.decisions import default_decisions
from router_core.policy.preferences import POLICIES
from tests.support.decisions import decided

MODELS = ("coder", "counter", "generalist")


def route(router, data, **options):
    rows, vectors = data
    return router.route(vectors, [row.prompt for row in rows], **options)


def allowed_for(n, *left_out):
    """All models for each of n prompts, but for (row, model) pairs."""
    allowed = np.ones((n, len(MODELS)), dtype=bool)
    for row, model in left_out:
        allowed[row, MODELS.index(model)] = False
    return allowed


@pytest.mark.parametrize("policy", POLICIES)
def test_a_prompt_is_decided_as_if_the_models_that_may_answer_it_were_all(router, unseen, policy):
    rows, vectors = unseen
    n = len(rows)
    costs = np.tile([2.0, 1.0, 3.0], (n, 1)) / 1000
    allowed = allowed_for(n, *((row, MODELS[row % 3]) for row in range(0, n, 2)))
    # Without the shift guard, which looks at the prompts that come together.
    options = {"policy": policy, "budget": 2.5 if policy == "budget" else None, "shift": "none"}
    mixed = route(router, unseen, models=MODELS, costs=costs, allowed=allowed, **options)
    for left_out in (*MODELS, None):
        own = np.flatnonzero([tuple(row) == tuple(name != left_out for name in MODELS) for row in allowed])
        columns = [column for column, name in enumerate(MODELS) if name != left_out]
        alone = router.route(
            vectors[own],
            [rows[row].prompt for row in own],
            models=[MODELS[column] for column in columns],
            costs=costs[own[:, None], columns],
            **options,
        )
        assert [decided(mixed)[row] for row in own] == list(decided(alone).values())
        assert [mixed.rankings()[row] for row in own] == alone.rankings()
        assert [mixed.predicted_scores(row) for row in own] == [
            alone.predicted_scores(row) for row in range(len(own))
        ]


def test_a_model_that_may_not_answer_is_neither_ranked_nor_predicted(router, unseen):
    best = route(router, unseen, models=MODELS, policy="quality").model(0)
    allowed = allowed_for(len(unseen[0]), (0, best))
    decisions = route(router, unseen, models=MODELS, policy="quality", allowed=allowed)
    assert set(decisions.rankings()[0]) == set(MODELS) - {best}
    assert best not in decisions.predicted_scores(0)
    assert f'"{best}"' not in decisions.predicted_json()[0]
    assert set(decisions.rankings()[1]) == set(MODELS)


def test_where_no_model_may_answer_all_are_tried(router, unseen):
    allowed = allowed_for(len(unseen[0]), *((0, name) for name in MODELS))
    assert decided(route(router, unseen, models=MODELS, allowed=allowed)) == decided(
        route(router, unseen, models=MODELS)
    )


def test_without_a_router_the_first_that_may_answer_stands_in_for_the_default_model():
    allowed = np.array([[True, True, True], [True, True, False], [False, True, False]])
    decisions = default_decisions(3, ("cheap", "middle", "dear"), "dear", allowed=allowed)
    assert decisions.rankings() == [("dear", "cheap", "middle"), ("cheap", "middle"), ("middle",)]
    assert decisions.predicted_json() == ["{}"] * 3
