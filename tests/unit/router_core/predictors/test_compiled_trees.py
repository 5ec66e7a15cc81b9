"""Compiled trees predict what LightGBM predicts, to the last bit."""

import numpy as np
import pytest

from router_core.predictors.compiled_trees import CompiledTrees
from router_core.predictors.gradient_boosting import Regressors, train_booster

RANDOM = np.random.default_rng(0)
INPUTS = RANDOM.normal(size=(300, 6)).astype(np.float32)
TARGETS = INPUTS[:, 0] * INPUTS[:, 1] + RANDOM.normal(size=300)


def booster(*, leaves: int = 4, inputs=INPUTS, **more):
    import lightgbm

    parameters = {"num_leaves": leaves, "min_data_in_leaf": 5, "verbosity": -1, "num_threads": 1, **more}
    return lightgbm.train(parameters, lightgbm.Dataset(inputs, TARGETS), num_boost_round=30)


def on_thresholds(trees: CompiledTrees, count: int):
    """Return inputs, half of which have a value equal to a threshold."""
    inputs = RANDOM.normal(size=(count, INPUTS.shape[1])).astype(np.float32)
    for row in range(0, count, 2):
        split = row % trees.features.shape[0], row % trees.features.shape[1]
        inputs[row, trees.features[split]] = trees.thresholds[split][0]
    return inputs


@pytest.mark.parametrize("count", [0, 1, 2, 257])
@pytest.mark.parametrize("leaves", [2, 4, 9])
def test_the_sums_are_lightgbms(count: int, leaves: int) -> None:
    boosters = [booster(leaves=leaves), booster(leaves=3)]
    trees = CompiledTrees.from_texts([boosters[0].model_to_string(), "", boosters[1].model_to_string()])
    assert trees is not None
    inputs = on_thresholds(trees, count)
    expected = np.zeros((count, 3), dtype=np.float32)
    for column, model in ((0, boosters[0]), (2, boosters[1])):
        if count:
            expected[:, column] = model.predict(inputs, num_threads=1)
    np.testing.assert_array_equal(trees.predict(inputs), expected)


def test_trees_without_a_split_are_read() -> None:
    trees = train_booster(INPUTS, TARGETS, None, objective="regression", trees=3, seed=0, threads=1)
    stump = booster(min_data_in_leaf=200)
    assert stump.num_trees() >= 1
    compiled = CompiledTrees.from_texts([stump.model_to_string(), trees.model_to_string()])
    assert compiled is not None
    expected = np.stack([stump.predict(INPUTS), trees.predict(INPUTS)], axis=1).astype(np.float32)
    np.testing.assert_array_equal(compiled.predict(INPUTS), expected)


def test_unsupported_trees_are_left_to_lightgbm() -> None:
    missing = INPUTS.copy()
    missing[::3, 0] = np.nan
    for other in (booster(leaves=31), booster(inputs=missing), booster(linear_tree=True)):
        regressors = Regressors.from_texts([other.model_to_string()])
        assert regressors.trees is None
        np.testing.assert_array_equal(
            regressors.predict(INPUTS)[:, 0], other.predict(INPUTS).astype(np.float32)
        )


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: "no booster",
        lambda text: text[: len(text) // 2],
        lambda text: text.replace("leaf_value=", "leaf_value=1 ", 1),
        lambda text: text.replace("right_child=", "wrong=", 1),
    ],
)
def test_damaged_text_is_an_error(damage) -> None:
    with pytest.raises((ValueError, KeyError)):
        CompiledTrees.from_texts([damage(booster().model_to_string())])
