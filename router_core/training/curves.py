"""The curves of a trained router on the held-out prompts of the inner folds, as the manifest records them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from router_core.evaluation.metrics.threshold_sweep import threshold_points
from router_core.evaluation.outcomes import Outcomes
from router_core.evaluation.pairwise_predictions import PairwisePredictions
from router_core.policy.choice import top_two
from router_core.predictors.pairwise import PairwiseClassifier
from router_core.predictors.scored_prompts import ScoredPrompts
from router_core.training.tuning_data import TuningData

Rows = NDArray[np.int64]
ByFold = Sequence[tuple[Rows, PairwiseClassifier]]

#: a manifest holds no more digits: nobody sees them
_DIGITS = 6


def curves_record(
    models: Sequence[str], data: TuningData, scored: ScoredPrompts, by_fold: ByFold
) -> dict[str, Any]:
    """Return what the curves need besides the trials.

    Args:
        models: The names of the models.
        data: What the router was tuned on.
        scored: The out-of-fold predictions.
        by_fold: For each fold, its rows and the pairwise classifier that was fitted on the other folds.

    Returns:
        `single_models`: each model's gain on the best single one, its standard error and its mean cost;
        `costs_in_dollars`: whether every model has costs, which are else ranks; `thresholds`: the results of
        policy `cargo` by tau (`router_core.evaluation.metrics.threshold_sweep.ThresholdPoint`).
    """
    n = len(data.scores)
    singles = {
        model: asdict(data.compare_with_best_single(0.0, np.full(n, column)))
        for column, model in enumerate(models)
    }
    outcomes = Outcomes(
        tuple(models),
        tuple(map(str, range(n))),
        (None,) * n,
        data.scores,
        data.costs,
        np.arange(n),
    )
    points = threshold_points(outcomes, _pairwise(scored, by_fold))
    return {
        "single_models": {model: _rounded(trial, without="setting") for model, trial in singles.items()},
        "costs_in_dollars": data.costs_are_known,
        "thresholds": [_rounded(point.to_dict()) for point in points],
    }


def _pairwise(scored: ScoredPrompts, by_fold: ByFold) -> PairwisePredictions:
    """Return the predictions for each prompt by a classifier that was fitted on the other folds."""
    top = top_two(scored.blended)
    first_wins = np.full(len(top.gap), np.nan)
    if np.isfinite(top.gap).any():
        for rows, classifier in by_fold:
            first_wins[rows] = classifier.win_probability(scored, rows, top.first[rows], top.second[rows])
    return PairwisePredictions(top.first, top.second, top.gap.astype(np.float64), first_wins)


def _rounded(values: dict[str, Any], *, without: str = "") -> dict[str, Any]:
    return {
        name: value if value is None else float(f"{value:.{_DIGITS}g}")
        for name, value in values.items()
        if name != without
    }
