"""The choice between the blend of all parts and the map of kinds, by held-out prompts.

Least squares scales the blend to the residuals of all prompts. Where one model is best on nearly all kinds of
prompts, that shrinks the advantages on the few others so much that none is taken. The mean residuals by kind,
shrunk toward 0 and not scaled again, keep them: fewer numbers, each from many prompts.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from router_core.predictors.ensemble import PARTS, Predictions, blend_weights
from router_core.training.deviation_tests import MARGINS, Trial
from router_core.training.tuning_data import TuningData

Floats = NDArray[np.float64]

_MAP = "group_means"


def choose_weights(data: TuningData, predictions: Predictions) -> Floats:
    """Return the weights of the parts [parts] whose deviations have the highest lower bound of the gain.

    Args:
        data: The labels.
        predictions: Out-of-fold predictions of all parts.
    """
    blend = blend_weights(predictions.parts, data.labels.residuals, data.labels.weights)
    kinds = np.array([1.0 if part == _MAP else 0.0 for part in PARTS])
    by_kind, by_blend = (_best(data, predictions, weights) for weights in (kinds, blend))
    better = by_kind.is_significant() and by_kind.lower_bound > by_blend.lower_bound
    return kinds if better else blend


def _best(data: TuningData, predictions: Predictions, weights: Floats) -> Trial:
    """Return the trial of the best margin for `quality`."""
    blended = data.prior + np.einsum("p,pnm->nm", weights.astype(np.float32), predictions.parts)
    trials = (_trial(data, blended, margin) for margin in MARGINS)
    return max(trials, key=lambda trial: trial.lower_bound)


def _trial(data: TuningData, blended: NDArray[np.floating], margin: float) -> Trial:
    others = np.arange(blended.shape[1]) != data.best_single
    choice = (blended - margin * data.score_range * others).argmax(axis=1)
    return data.compare_with_best_single(margin, choice)
