"""How much of the oracle's headroom is luck, by prompts that were answered several times."""

from dataclasses import replace

import numpy as np

from router_core.evaluation.luck import oracle_luck
from router_core.evaluation.outcomes import Outcomes
from router_core.evaluation.strategies import Strategy
from tests.support.outcomes import always, make_outcomes


def repeated(scores: np.ndarray, repeats: int) -> Outcomes:
    """Return outcomes of prompts that each have so many rows."""
    outcomes = make_outcomes(scores.tolist())
    prompts = np.arange(len(scores)) // repeats
    return replace(outcomes, ids=tuple(f"p{prompt}" for prompt in prompts), prompt_index=prompts)


def first_model(outcomes: Outcomes) -> Strategy:
    return always(*[0] * len(outcomes), models=len(outcomes.models))


def test_if_models_differ_by_chance_only_all_of_the_headroom_is_luck() -> None:
    random = np.random.default_rng(0)
    outcomes = repeated((random.random((1200, 4)) < 0.5).astype(float), 3)
    luck = oracle_luck(outcomes, first_model(outcomes))
    assert luck is not None
    assert luck.prompts == 400
    assert luck.observed.value > 0.4
    assert abs(luck.repeatable.value) < 3 * luck.repeatable.error
    assert abs(luck.share.value - 1) < 3 * luck.share.error
    assert "is luck" in str(luck.note())


def test_if_every_run_is_the_same_none_of_it_is_luck() -> None:
    prompts = np.random.default_rng(0).random((100, 4))
    outcomes = repeated(np.repeat(prompts, 2, axis=0), 2)
    luck = oracle_luck(outcomes, first_model(outcomes))
    assert luck is not None
    assert luck.share.value == 0
    assert luck.observed == luck.repeatable


def test_half_luck_is_told_from_what_repeats() -> None:
    random = np.random.default_rng(1)
    strengths = np.repeat(random.choice([0.2, 0.8], size=(500, 4)), 4, axis=0)
    outcomes = repeated((random.random(strengths.shape) < strengths).astype(float), 4)
    luck = oracle_luck(outcomes, first_model(outcomes))
    assert luck is not None
    rows = np.arange(len(strengths))
    true = (strengths.max(axis=1) - strengths[rows, 0]).mean()
    assert luck.repeatable.value <= true + 3 * luck.repeatable.error
    assert luck.repeatable.value > 0.8 * true
    assert luck.observed.value > true


def test_an_oracle_that_gains_nothing_says_nothing() -> None:
    outcomes = repeated(np.ones((10, 2)), 2)
    luck = oracle_luck(outcomes, first_model(outcomes))
    assert luck is not None
    assert luck.note() is None
    assert luck.to_dict()["share"] == {"value": None, "error": None}


def test_without_repeats_nothing_is_said() -> None:
    outcomes = make_outcomes([[0, 1], [1, 0]])
    assert oracle_luck(outcomes, first_model(outcomes)) is None
    other_ids = replace(outcomes, prompt_index=np.zeros(2, dtype=np.int64))
    assert oracle_luck(other_ids, first_model(other_ids)) is None
