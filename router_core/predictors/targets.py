"""What is learnt: a score is the model's mean, plus the prompt's ease, plus what the prompt adds to it.

Only the last term matters to a choice. With missing scores a plain mean would favour models that were
judged on easy prompts only, so means and ease are fitted together.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]

#: A model's prior, by default the mean of all models, counts as this many prompts: a new model starts there.
SHRINKAGE = 5.0
#: With fewer scores than this, and than half of another model's, a model has a handful.
LOW_COUNT = 40.0
_STEP = 1e-4
_ROUNDS = 20


def fit_additive_effects(
    scores: Array, weights: Array | None = None, priors: Array | None = None
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the models' means [m] and the additions [n, m] (NaN where unknown) of scores [n, m].

    A prompt counts as `weights` [n] says, each as one by default. `priors` [m] are the means that models are
    expected to have, NaN for that of all models: a model with few scores stays close to its own.

    The mean of a model that was judged on fewer prompts than others is lowered by its extra standard error,
    and with a handful of scores it stays below the best of the others: deviations are measured against the
    best single model, and on prompts that it was not judged on nothing can be measured.
    """
    known = np.isfinite(scores)
    counts = known * (np.ones(len(scores)) if weights is None else weights)[:, None]
    overall = float((np.where(known, scores, 0.0) * counts).sum() / counts.sum())
    centred = np.where(known, scores - overall, 0.0)
    start = np.zeros(scores.shape[1]) if priors is None else np.nan_to_num(priors - overall)
    prompt_effect, model_effect = np.zeros((len(scores), 1)), start
    for _ in range(_ROUNDS if not known.all() else 1):
        total = ((centred - prompt_effect) * counts).sum(axis=0) + SHRINKAGE * start
        model_effect = total / (counts.sum(axis=0) + SHRINKAGE)
        prompt_effect = ((centred - model_effect) * known).sum(axis=1, keepdims=True)
        prompt_effect = prompt_effect / np.maximum(known.sum(axis=1, keepdims=True), 1)
    residuals = np.where(known, centred - model_effect - prompt_effect, np.nan)
    means = _cap_low_count_means(
        overall + model_effect - _low_count_penalty(residuals, counts), counts.sum(axis=0)
    )
    return means.astype(np.float32), residuals.astype(np.float32)


def _cap_low_count_means(means: Array, counts: Array) -> NDArray[np.float64]:
    """Return the means with those of models that have only a handful of scores kept under the best one's."""
    few = counts < min(LOW_COUNT, counts.max() / 2)
    return np.where(few, np.minimum(means, means[~few].max() - _STEP), means)


def _low_count_penalty(residuals: Array, counts: Array) -> NDArray[np.float64]:
    """Return how much larger each model's standard error is than that of the model judged most often."""
    root = np.sqrt(np.maximum(counts.sum(axis=0), 1))
    return np.asarray(np.nanstd(residuals) * (1 / root - 1 / root.max()))
