"""Small trees: what LightGBM's own walk gives, to the last bit."""

import numpy as np
import pytest

from router_core.predictors.compiled_trees import CompiledTrees
from router_core.predictors.gradient_boosting import Regressors, train_booster

RANDOM = np.random.default_rng(0)
POINTS = RANDOM.normal(size=(300, 6)).astype(np.float32)
TARGETS = POINTS[:, 0] * POINTS[:, 1] + RANDOM.normal(size=300)


def booster(*, leaves: int = 4, points=POINTS, **more):
    import lightgbm

    parameters = {"num_leaves": leaves, "min_data_in_leaf": 5, "verbosity": -1, "num_threads": 1, **more}
    return lightgbm.train(parameters, lightgbm.Dataset(points, TARGETS), num_boost_round=30)


def asked(trees: CompiledTrees, count: int):
    """Prompts, many of which lie on a threshold."""
    points = RANDOM.normal(size=(count, POINTS.shape[1])).astype(np.float32)
    for row in range(0, count, 2):
        split = row % trees.features.shape[0], row % trees.features.shape[1]
        points[row, trees.features[split]] = trees.thresholds[split][0]
    return points


@pytest.mark.parametrize("count", [0, 1, 2, 257])
@pytest.mark.parametrize("leaves", [2, 4, 9])
def test_the_sums_are_lightgbms(count: int, leaves: int) -> None:
    boosters = [booster(leaves=leaves), booster(leaves=3)]
    trees = CompiledTrees.from_texts([boosters[0].model_to_string(), "", boosters[1].model_to_string()])
    assert trees is not None
    points = asked(trees, count)
    expected = np.zeros((count, 3), dtype=np.float32)
    for column, one in ((0, boosters[0]), (2, boosters[1])):
        if count:
            expected[:, column] = one.predict(points, num_threads=1)
    np.testing.assert_array_equal(trees.predict(points), expected)


def test_trees_without_a_split_are_read() -> None:
    trees = train_booster(POINTS, TARGETS, None, objective="regression", trees=3, seed=0, threads=1)
    stump = booster(min_data_in_leaf=200)
    assert stump.num_trees() >= 1
    read = CompiledTrees.from_texts([stump.model_to_string(), trees.model_to_string()])
    assert read is not None
    expected = np.stack([stump.predict(POINTS), trees.predict(POINTS)], axis=1).astype(np.float32)
    np.testing.assert_array_equal(read.predict(POINTS), expected)


def test_what_is_more_than_small_trees_is_left_to_lightgbm() -> None:
    missing = POINTS.copy()
    missing[::3, 0] = np.nan
    for other in (booster(leaves=31), booster(points=missing), booster(linear_tree=True)):
        read = Regressors.from_texts([other.model_to_string()])
        assert read.trees is None
        np.testing.assert_array_equal(read.predict(POINTS)[:, 0], other.predict(POINTS).astype(np.float32))


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
