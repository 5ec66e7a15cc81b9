"""What is learnt: a score is the model's mean, plus the prompt's ease, plus what the prompt adds to it.

Only the last term matters to a choice. With missing scores a plain mean would favour models that were
judged on easy prompts only, so means and ease are fitted together.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]

#: A model's mean counts as this many prompts at the mean of all models: a new model starts there.
SHRINKAGE = 5.0
_ROUNDS = 20


def decompose(scores: Array, weights: Array | None = None) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the models' means [m] and the additions [n, m] (NaN where unknown) of scores [n, m].

    A prompt counts as `weights` [n] says, each as one by default.

    The mean of a model that was judged on fewer prompts than others is lowered by its extra standard error,
    so that three lucky answers do not make a new model the best one.
    """
    known = np.isfinite(scores)
    counts = known * (np.ones(len(scores)) if weights is None else weights)[:, None]
    overall = float((np.where(known, scores, 0.0) * counts).sum() / counts.sum())
    centred = np.where(known, scores - overall, 0.0)
    ease, effect = np.zeros((len(scores), 1)), np.zeros(scores.shape[1])
    for _ in range(_ROUNDS if not known.all() else 1):
        effect = ((centred - ease) * counts).sum(axis=0) / (counts.sum(axis=0) + SHRINKAGE)
        ease = ((centred - effect) * known).sum(axis=1, keepdims=True)
        ease = ease / np.maximum(known.sum(axis=1, keepdims=True), 1)
    additions = np.where(known, centred - effect - ease, np.nan)
    return (overall + effect - _caution(additions, counts)).astype(np.float32), additions.astype(np.float32)


def _caution(additions: Array, counts: Array) -> NDArray[np.float64]:
    """Return how much larger each model's standard error is than that of the model judged most often."""
    root = np.sqrt(np.maximum(counts.sum(axis=0), 1))
    return np.asarray(np.nanstd(additions) * (1 / root - 1 / root.max()))
