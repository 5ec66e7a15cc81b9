"""Means of residuals by category, task and cluster."""

import numpy as np

from router_core.predictors.group_means import cluster_labels, finest_labels, shrunken_means

NAN = float("nan")


def test_means_of_small_groups_are_shrunk_toward_0_and_unknown_residuals_are_left_out():
    weights = np.array([[1, 0]] * 100 + [[0, 1]] * 2, dtype=np.float32)
    residuals = np.full((102, 2), 0.5, dtype=np.float32)
    residuals[:50, 1] = NAN
    means = shrunken_means(weights, residuals)
    assert means[0, 0] > means[0, 1] > means[1, 0] > 0


def test_prompts_without_tasks_are_clustered_and_tasks_are_used_where_given():
    inputs = np.random.default_rng(0).normal(size=(200, 3)).astype(np.float32)
    clusters = cluster_labels(inputs, seed=0)
    assert clusters == cluster_labels(inputs, seed=0)
    assert len(set(clusters)) == 5
    assert finest_labels(["x", "y"] * 100, clusters)[:2] == ["x", "y"]
    assert finest_labels([None] * 200, clusters) == clusters
