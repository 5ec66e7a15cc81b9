"""k nearest neighbours."""

import numpy as np

from router_core.predictors.knn import SHRINKAGE, KNearestNeighbours, knn_inputs

NAN = float("nan")


def ones(n):
    return np.ones(n, dtype=np.float32)


def test_neighbours_are_weighted_by_the_distances_that_faiss_finds():
    random = np.random.default_rng(5)
    labelled, queries = (random.normal(size=(n, 6)).astype(np.float32) for n in (800, 30))
    residuals, weights = random.normal(size=(800, 3)).astype(np.float32), ones(800) * 0.5
    residuals[random.random(residuals.shape) < 0.2] = np.nan
    knn = KNearestNeighbours(labelled, residuals, weights)
    distances, rows = knn.neighbours(queries, 100)
    kernel = (1 - distances / distances[:, -1:])[:, :, None] * weights[rows][:, :, None]
    totals = (kernel * np.nan_to_num(residuals)[rows]).sum(axis=1)
    expected = totals / ((kernel * np.isfinite(residuals)[rows]).sum(axis=1) + SHRINKAGE)
    np.testing.assert_allclose(knn.predict(queries), expected, atol=1e-5)


def test_predictions_come_from_the_nearest_prompts_and_ignore_unknown_scores():
    inputs = np.repeat(np.array([[0.0], [9.0]], dtype=np.float32), 100, axis=0)
    inputs += np.linspace(0, 1, 200, dtype=np.float32)[:, None]
    residuals = np.repeat(np.array([[1, NAN], [-1, 1]], dtype=np.float32), 100, axis=0)
    near, far = KNearestNeighbours(inputs, residuals, ones(200)).predict(
        np.array([[0.2], [9.7]], dtype=np.float32)
    )
    assert near[0] > 0.5
    assert near[1] == 0
    assert (far[0] < -0.5, far[1] > 0.5) == (True, True)


def test_a_large_chunk_is_predicted_as_in_small_ones():
    random = np.random.default_rng(0)
    knn = KNearestNeighbours(*(random.normal(size=(400, 4)).astype(np.float32) for _ in range(2)), ones(400))
    queries = random.normal(size=(1100, 4)).astype(np.float32)
    np.testing.assert_allclose(knn.predict(queries)[700:710], knn.predict(queries[700:710]), atol=1e-6)


def test_prompts_of_the_same_task_are_neighbours_before_others():
    representation, tasks = (
        np.random.default_rng(0).normal(size=(100, 2)) / 9,
        np.repeat(np.eye(2), 50, axis=0),
    )
    residuals = np.repeat([[1.0], [-1.0]], 50, axis=0)
    knn = KNearestNeighbours(
        *(array.astype(np.float32) for array in (knn_inputs(representation, tasks), residuals)), ones(100)
    )
    likely = np.array([[0.9, 0.1], [0.1, 0.9]])
    first, second = knn.predict(knn_inputs(np.zeros((2, 2)), likely).astype(np.float32))
    assert second[0] < 0 < first[0]


def test_a_neighbour_counts_as_much_as_its_weight():
    inputs = np.random.default_rng(0).normal(size=(100, 2)).astype(np.float32)
    residuals = np.repeat(np.array([[1.0], [-1.0]], dtype=np.float32), 50, axis=0)
    weights = np.repeat(np.array([0.01, 1.99], dtype=np.float32), 50)
    assert (KNearestNeighbours(inputs, residuals, weights).predict(inputs) < 0).mean() > 0.9
