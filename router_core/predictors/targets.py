"""The targets of the ensemble: residuals of an additive model of the scores (two-way analysis of variance).

    score = mean of all + effect of the model + effect of the prompt + residual

The prompt's effect is the same for all models, so a choice depends only on the model's mean (mean of all plus
model effect) and on the residual. With missing scores, plain means would favour models that were scored only
on easy prompts; therefore both effects are fitted together.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]

#: A model's mean is shrunk toward its prior, by default the mean of all models, which has the weight of this
#: many prompts.
SHRINKAGE = 5.0
#: A model has a low count if it has fewer scores than this and fewer than half of those of another model.
LOW_COUNT = 40.0
#: How far the mean of a model with a low count stays below the best mean of the others.
_STEP = 1e-4
#: The iterations of backfitting where scores are missing; otherwise one is enough.
_ROUNDS = 20


def fit_additive_effects(
    scores: Array, weights: Array | None = None, priors: Array | None = None
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the models' means and the residuals of scores.

    The mean of a model that was scored on fewer prompts than others is lowered by its additional standard
    error. With a low count, it also stays below the best mean of the other models. Otherwise such a model
    could become the best single model, to which all deviations are compared; but no comparison is possible on
    prompts where it has no score.

    Args:
        scores: The scores, [n, m], NaN where unknown.
        weights: The weights of the prompts, [n], by default 1.
        priors: The expected means of the models, [m], NaN for that of all models; by default all NaN.

    Returns:
        The means, float32 [m], and the residuals, float32 [n, m], NaN where unknown.
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
    """Return the means, those of models with a low count lowered below the best of the others."""
    few = counts < min(LOW_COUNT, counts.max() / 2)
    return np.where(few, np.minimum(means, means[~few].max() - _STEP), means)


def _low_count_penalty(residuals: Array, counts: Array) -> NDArray[np.float64]:
    """Return the standard error of each model's mean less that of the model with the most scores, [m]."""
    root = np.sqrt(np.maximum(counts.sum(axis=0), 1))
    return np.asarray(np.nanstd(residuals) * (1 / root - 1 / root.max()))
