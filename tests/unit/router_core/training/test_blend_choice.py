"""The map of kinds is taken where its deviations gain more for sure than those of the blend."""

from __future__ import annotations

import numpy as np
import pytest

from router_core.predictors.ensemble import PARTS, Labels, Predictions
from router_core.training.blend_choice import choose_weights
from router_core.training.tuning_data import TuningData

N, MODELS, KINDS = 2000, 6, 12


@pytest.fixture
def kinds():
    return np.random.default_rng(0).integers(KINDS, size=N)


def tuning_data(kinds, advantages):
    """Return data in which another model than the first is better by an advantage on each of some kinds."""
    random = np.random.default_rng(1)
    means = np.full((KINDS, MODELS), 0.6)
    means[:, 0] = 0.7
    for kind, advantage in enumerate(advantages):
        means[kind, 1 + kind % (MODELS - 1)] = 0.7 + advantage
    scores = (random.random((N, MODELS)) < means[kinds]).astype(np.float64)
    weights, names = np.ones(N, dtype=np.float32), [f"kind {kind}" for kind in kinds]
    residuals = (scores - scores.mean(axis=0)).astype(np.float32)
    return TuningData(
        vectors=np.zeros((N, 0), dtype=np.float32),
        representation=np.zeros((N, 2), dtype=np.float32),
        posterior=np.ones((N, 1), dtype=np.float32),
        scores=scores,
        costs=np.ones_like(scores),
        expected_costs=np.ones_like(scores),
        prior=scores.mean(axis=0).astype(np.float32),
        labels=Labels(residuals, names, names, weights),
        fold=np.arange(N) % 5,
        seed=0,
        threads=1,
    )


def predictions(data, kinds, *, noise):
    """Return predictions of which the map of kinds is exact, and all other parts are noisy."""
    random = np.random.default_rng(2)
    exact = np.array([data.labels.residuals[kinds == kind].mean(axis=0) for kind in range(KINDS)])[kinds]
    parts = exact + noise * random.normal(size=(len(PARTS), *exact.shape))
    parts[PARTS.index("group_means")] = exact
    return Predictions(data.posterior, parts.astype(np.float32))


def test_the_map_of_kinds_is_taken_where_it_gains_more_for_sure(kinds):
    data = tuning_data(kinds, advantages=[0.2, 0.2, 0.2])
    weights = choose_weights(data, predictions(data, kinds, noise=0.3))
    assert weights.tolist() == [float(part == "group_means") for part in PARTS]


def test_the_blend_is_taken_where_it_is_as_good(kinds):
    data = tuning_data(kinds, advantages=[0.2, 0.2, 0.2])
    found = predictions(data, kinds, noise=0.0)
    found.parts[PARTS.index("group_means")] = 0.0
    assert choose_weights(data, found)[PARTS.index("group_means")] == 0


def test_the_blend_is_taken_where_neither_gains(kinds):
    data = tuning_data(kinds, advantages=[])
    assert choose_weights(data, predictions(data, kinds, noise=0.3))[PARTS.index("group_means")] == 0
