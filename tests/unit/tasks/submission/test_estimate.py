"""The cost estimate of a batch."""

from collections.abc import Sequence

import numpy as np
import pytest

from router_core.monitoring.familiarity import Familiarity
from router_core.predictors.answer_tokens import ExpectedAnswers
from tasks.formats.determinism import Dedupe
from tasks.settings import ModelSettings, Settings
from tasks.store.batch_options import BatchOptions
from tasks.submission.estimate import estimate
from tasks.submission.estimate_values import Estimate, RoutedPrompts
from tasks.submission.source import from_items
from tests.support.comparisons import assert_fields

SETTINGS = Settings(
    models=(
        ModelSettings(
            name="small",
            litellm="openai/a",
            input_price=1,
            output_price=2,
            expected_tokens=100,
            max_tokens=500,
        ),
        ModelSettings(
            name="large",
            litellm="openai/b",
            input_price=10,
            output_price=20,
            expected_tokens=100,
            max_tokens=500,
        ),
    )
)


def _estimate(
    items: Sequence[object],
    *,
    models: tuple[str, ...] = (),
    dedupe: Dedupe = "all",
    route: str | None = None,
    familiarity: Familiarity | None = None,
    answers: ExpectedAnswers | None = None,
    explore: float = 0.0,
    route_only: bool = False,
) -> Estimate:
    options = BatchOptions(models=models, dedupe=dedupe, explore=explore, route_only=route_only)
    chosen = (
        None
        if route is None
        else lambda prompts, *_: RoutedPrompts([route] * len(prompts), familiarity, [route], answers)
    )
    return estimate(from_items(items, SETTINGS), SETTINGS, options=options, route=chosen)


def test_it_counts_requests_duplicates_and_bad_lines_as_ingestion_does() -> None:
    found = _estimate(["a", "a", "b", {"id": "line-1", "prompt": "c"}, {"nothing": 1}, {"nothing": 2}])
    assert_fields(found, requests=3, duplicates=1)
    assert found.invalid == {"duplicate_custom_id": 1, "missing_messages": 2}
    assert _estimate(["a", "a"], dedupe="off").duplicates == 0
    assert_fields(_estimate(["a", "a"]), duplicates=1, random_duplicates=1)
    assert_fields(_estimate(["a", "a"], dedupe="deterministic"), duplicates=0, random_duplicates=0)
    cold = {"prompt": "a", "temperature": 0}
    found = _estimate([cold, {**cold, "id": "x"}], dedupe="deterministic")
    assert_fields(found, duplicates=1, random_duplicates=0)


def test_the_cost_of_each_model_follows_its_prices() -> None:
    small, large = _estimate(["x" * 400]).models
    body = len('{"messages":[{"content":"","role":"user"}]}') + 400
    assert small.cost_usd == pytest.approx((-(-body // 4) + 2 * 100) / 1e6)
    assert large.cost_usd == pytest.approx(10 * small.cost_usd)
    assert small.worst_usd == pytest.approx((body + 16 + 64 + 2 * 500) / 1e6)


def test_a_duplicate_costs_nothing() -> None:
    assert _estimate(["a", "a", "a"]).models == _estimate(["a"]).models


def test_an_answer_that_is_capped_is_not_expected_to_be_longer() -> None:
    short = _estimate([{"prompt": "a", "max_tokens": 5}]).models[0]
    assert short.cost_usd < _estimate(["a"]).models[0].cost_usd


def test_only_the_models_of_the_batch_are_shown() -> None:
    assert [m.model for m in _estimate(["a"], models=("large",)).models] == ["large"]


def test_a_request_that_names_its_model_costs_what_that_model_costs() -> None:
    found = _estimate(["a", {"prompt": "b", "model": "large"}], route="small")
    small, large = _estimate(["a", "b"]).models
    assert found.mix is not None
    assert found.mix.models == {"small": 1, "large": 1}
    assert found.mix.cost_usd == pytest.approx((small.cost_usd + large.cost_usd) / 2)
    assert found.models[0].cost_usd == pytest.approx(found.mix.cost_usd)
    assert found.models[1].cost_usd == pytest.approx(large.cost_usd)


def test_every_slice_is_routed() -> None:
    found = _estimate([f"prompt {n}" for n in range(600)], route="large")
    assert found.mix is not None
    assert found.mix.models == {"large": 600}
    assert found.mix.worst_usd == pytest.approx(found.models[1].worst_usd)


def test_without_a_router_there_is_no_mix() -> None:
    assert _estimate(["a"]).mix is None


def test_exploration_adds_the_other_candidates_answers_to_its_share() -> None:
    prompts = [f"prompt {n}" for n in range(300)]
    plain, explored = (_estimate(prompts, route="small", explore=epsilon) for epsilon in (0.0, 0.1))
    assert plain.mix is not None
    assert explored.mix is not None
    assert (plain.extra_calls, explored.extra_calls) == (0, 30)
    for name in ("cost_usd", "worst_usd"):
        small, large = (getattr(model, name) for model in plain.models)
        assert getattr(explored.mix, name) == pytest.approx(small + 0.1 * large)
        assert [getattr(model, name) for model in explored.models] == pytest.approx(
            [small + 0.1 * large, large + 0.1 * small]
        )


def test_nothing_is_explored_where_a_model_is_named_or_no_model_is_called() -> None:
    named = [{"prompt": "a", "model": "small"}]
    assert _estimate(named, route="large", explore=0.5) == _estimate(named, route="large")
    assert _estimate(["a"], explore=0.5, route_only=True) == _estimate(["a"])
    assert _estimate(["a"], models=("small",), explore=0.5).extra_calls == 0


def test_the_mix_adds_up_the_prompts_unlike_the_labels_of_all_slices() -> None:
    found = _estimate([f"prompt {n}" for n in range(600)], route="large", familiarity=Familiarity(3, 2))
    assert found.mix is not None
    assert found.mix.familiarity == Familiarity(9, 6)
    assert found.to_dict()["mix"]["familiarity"]["share"]["value"] == 0.4
    without = _estimate(["a"], route="large")
    assert without.to_dict()["mix"]["familiarity"] is None


def test_answers_are_as_long_as_the_routers_labels_say_but_never_above_the_limit() -> None:
    known = ExpectedAnswers(np.array([[40.0]]), np.array([[0.5], [3.0]]))
    plain = _estimate(["a"], route="small")
    found = _estimate(["a"], route="small", answers=known)
    small, large = found.models
    assert small.answer_tokens == (40.0, 20.0, 120.0)
    assert plain.models[0].cost_usd - small.cost_usd == pytest.approx(2 * (100 - 40) / 1e6)
    assert (large, large.answer_tokens) == (plain.models[1], None)
    assert found.mix is not None
    assert found.mix.cost_usd == pytest.approx(small.cost_usd)
    assert small.worst_usd == plain.models[0].worst_usd, "what guards a cap stays as it is"
    capped = _estimate([{"prompt": "a", "max_tokens": 30}], route="small", answers=known)
    assert capped.models[0].answer_tokens == (30.0, 20.0, 30.0)
