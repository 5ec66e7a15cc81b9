"""Pairs of models for the pairwise classifier."""

import numpy as np

from router_core.predictors.scored_prompts import PreferencePairs

NAN = float("nan")


def test_pairs_are_of_the_scored_models_with_the_highest_predictions_and_none_are_tied():
    scores = np.array([[1.0, 0.0, NAN, 1.0], [0.0, 0.0, 0.0, 1.0]])
    pairs = PreferencePairs.of(scores, np.array([[0.4, 0.3, 0.9, 0.1]] * 2), top_k=3)
    assert np.column_stack([pairs.rows, pairs.a, pairs.b, pairs.won]).tolist() == [[0, 0, 1, 1], [0, 1, 3, 0]]
