"""What a batch tells about the novelty of its prompts: how many are new, in all and around each of them.

One prompt tells little; a batch tells more. The share of unfamiliar prompts in the batch is estimated by
expectation maximisation, and the odds are adjusted to it (Saerens, Latinne and Decaestecker, "Adjusting the
outputs of a classifier to new a priori probabilities", Neural Computation 14, 2002). So a prompt on the edge
is familiar among familiar prompts, and unfamiliar in a batch of a new kind.

Prompts of a kind lie together. So in a second step the share is estimated around each prompt: among its
nearest neighbours in the batch, drawn toward the share of the whole batch.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
Floats = NDArray[np.float64]

#: How many of a prompt's nearest neighbours in the batch tell the share around it.
NEIGHBOURS = 10
#: The share around a prompt is estimated as if so many more neighbours had the share of the batch.
_PSEUDO_NEIGHBOURS = 3.0
#: The share of the batch is estimated as if so many more prompts had come, so many of them unfamiliar.
_PSEUDO_PROMPTS = 5.0
_PSEUDO_UNFAMILIAR = 1.0
_ITERATIONS = 100
_ITERATIONS_AROUND = 10
_CONVERGED = 1e-5
#: A share is nowhere taken to be nearer to 0 or 1: neighbours can be wrong.
_LEAST_SHARE = 1e-4
#: Neighbours are looked for among so many prompts that come one after the other, to bound time and memory.
_BLOCK = 1024


def adjusted_to_batch(log_odds: Floats) -> Floats:
    """Return the probabilities [n] for log odds [n] that hold where half of the prompts are unfamiliar."""
    share, before = 0.5, 0.0
    for _ in range(_ITERATIONS):
        if abs(share - before) < _CONVERGED:
            break
        before, probabilities = share, _adjusted(log_odds, share)
        share = float((probabilities.sum() + _PSEUDO_UNFAMILIAR) / (len(log_odds) + _PSEUDO_PROMPTS))
    return _adjusted(log_odds, share)


def adjusted_to_neighbours(log_odds: Floats, representation: Array, *, neighbours: int) -> Floats:
    """Return the probabilities [n] of prompts by what lies around each; their representations are [n, k]."""
    probabilities = adjusted_to_batch(log_odds)
    for start in range(0, len(log_odds) if neighbours else 0, _BLOCK):
        block = slice(start, start + _BLOCK)
        nearest = _nearest(representation[block], neighbours)
        probabilities[block] = _adjusted_around(log_odds[block], probabilities[block], nearest)
    return probabilities


def _adjusted_around(log_odds: Floats, probabilities: Floats, nearest: NDArray[np.int64]) -> Floats:
    """Return the probabilities [n] adjusted to those of the nearest neighbours [n, at most NEIGHBOURS]."""
    pseudo = _PSEUDO_NEIGHBOURS * probabilities.mean()
    for _ in range(_ITERATIONS_AROUND):
        around = probabilities[nearest].sum(axis=1) + pseudo
        share = around / (nearest.shape[1] + _PSEUDO_NEIGHBOURS)
        probabilities = _adjusted(log_odds, np.clip(share, _LEAST_SHARE, 1 - _LEAST_SHARE))
    return probabilities


def _nearest(representation: Array, neighbours: int) -> NDArray[np.int64]:
    """Return the rows of the most similar others of each prompt by cosine, [n, at most `neighbours`]."""
    length = np.linalg.norm(representation, axis=1, keepdims=True)
    unit = representation / np.maximum(length, np.finfo(np.float32).tiny)
    similarity = unit @ unit.T
    np.fill_diagonal(similarity, -np.inf)
    count = min(neighbours, len(unit) - 1)
    if count == 0:
        return np.zeros((len(unit), 0), dtype=np.int64)
    return np.argpartition(-similarity, count - 1, axis=1)[:, :count]


def _adjusted(log_odds: Floats, share: Floats | float) -> Floats:
    odds = log_odds + np.log(share) - np.log1p(-np.asarray(share))
    return np.asarray(1 / (1 + np.exp(-np.clip(odds, -700, 700))))
