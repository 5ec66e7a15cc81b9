"""Distances between embeddings, and random Fourier features of the Gaussian kernel."""

from __future__ import annotations

from math import sqrt

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]


def median_distance(points: Array) -> float:
    """Return the median Euclidean distance between two different points of [n, k]."""
    squared = squared_distances(points, points)
    return float(np.sqrt(np.median(squared[np.triu_indices(len(squared), 1)])))


def squared_distances_to_others(points: Array, landmarks: Array) -> Array:
    """Return the squared distance of each point to the nearest landmark other than itself, [n].

    The first points are the landmarks themselves.
    """
    distances = squared_distances(points, landmarks)
    np.fill_diagonal(distances, np.inf)
    return np.asarray(distances.min(axis=1))


def squared_distances(points: Array, landmarks: Array) -> Array:
    """Return the squared Euclidean distances of n points and l landmarks, [n, l]."""
    squares = (landmarks**2).sum(axis=1)
    distances = (points**2).sum(axis=1, keepdims=True) - 2 * (points @ landmarks.T) + squares
    return np.asarray(np.maximum(distances, 0.0), dtype=np.float32)


def fourier_features(points: Array, frequencies: Array) -> Array:
    """Return random Fourier features, whose inner products approximate the Gaussian kernel.

    Rahimi and Recht (2007).

    Args:
        points: The points [n, k].
        frequencies: Normal random frequencies, scaled by 1 / bandwidth, [k, f].

    Returns:
        The features [n, 2 f].
    """
    angles = points @ frequencies
    scale = np.float32(1 / sqrt(frequencies.shape[1]))
    return np.asarray(np.hstack([np.cos(angles), np.sin(angles)]) * scale, dtype=np.float32)


def normal_matrix(random: np.random.Generator, rows: int, columns: int) -> Array:
    """Return a float32 matrix of standard normal values, [rows, columns]."""
    return random.standard_normal((rows, columns), dtype=np.float32)
