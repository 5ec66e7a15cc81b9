"""The pairwise classifier: which of two models answers a prompt better."""

import numpy as np
import pytest

from router_core.predictors.ensemble import Predictions
from router_core.predictors.pairwise import PairwiseClassifier
from router_core.predictors.scored_prompts import ScoredPrompts


def ones(n):
    return np.ones(n, dtype=np.float32)


@pytest.fixture(scope="module")
def scored():
    random = np.random.default_rng(0)
    blended = random.normal(size=(600, 3)).astype(np.float32)
    predictions = Predictions(np.zeros((600, 0), dtype=np.float32), blended[None])
    return ScoredPrompts(random.normal(size=(600, 4)).astype(np.float32), predictions, blended)


@pytest.fixture(scope="module")
def classifier(scored):
    # Model 0 beats the others exactly where the first coordinate of the prompt is positive.
    scores = np.stack([np.sign(scored.representation[:, 0]), np.zeros(600), np.zeros(600)], axis=1)
    return PairwiseClassifier.fit(scored, scores, ones(600))


def test_the_classifier_is_antisymmetric(scored, classifier):
    rows, a, b = np.arange(600), np.zeros(600, dtype=int), np.ones(600, dtype=int)
    forward, backward = (
        classifier.win_probability(scored, rows, a, b),
        classifier.win_probability(scored, rows, b, a),
    )
    np.testing.assert_allclose(forward + backward, 1, atol=1e-6)


def test_the_classifier_learns_from_the_prompt_which_model_wins(scored, classifier):
    rows = np.arange(600)
    wins = classifier.win_probability(scored, rows, np.zeros(600, dtype=int), np.ones(600, dtype=int)) > 0.5
    assert np.mean(wins == (scored.representation[:, 0] > 0)) > 0.95


@pytest.mark.parametrize("factor", [0.01, 100.0])
def test_scaling_the_scores_changes_no_probability(scored, factor):
    random, rows = np.random.default_rng(1), np.arange(600)
    scores = scored.blended + random.normal(size=(600, 3))
    scaled = ScoredPrompts(
        scored.representation,
        Predictions(scored.predictions.posterior, factor * scored.predictions.parts),
        factor * scored.blended,
    )
    usual = PairwiseClassifier.fit(scored, scores, ones(600)).win_probability(
        scored, rows, 0 * rows, 0 * rows + 1
    )
    rescaled = PairwiseClassifier.fit(scaled, factor * scores, ones(600)).win_probability(
        scaled, rows, 0 * rows, 0 * rows + 1
    )
    assert np.ptp(usual) > 0.5
    np.testing.assert_allclose(rescaled, usual, atol=0.005)


def test_without_unequal_pairs_every_probability_is_one_half(scored):
    classifier = PairwiseClassifier.fit(scored, np.ones((600, 3)), ones(600))
    rows = np.arange(3)
    assert classifier.win_probability(scored, rows, rows, rows).tolist() == [0.5] * 3
