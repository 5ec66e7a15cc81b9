"""The accuracy of the pairwise classifier by itself, on pairs of models with close predicted scores."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from router_core.policy.choice import top_two
from router_core.predictors.pairwise import PairwiseClassifier
from router_core.predictors.scored_prompts import PreferencePairs, ScoredPrompts

Array = NDArray[np.float32]
Rows = NDArray[np.int64]

#: If tau is 0, the classifier is evaluated on this share of the prompts, those with the smallest gaps.
_DEFAULT_SHARE = 0.5


def pairwise_metrics(
    scored: ScoredPrompts,
    scores: NDArray[np.floating],
    weights: Array,
    by_fold: Sequence[tuple[Rows, PairwiseClassifier]],
    *,
    tau: float,
) -> dict[str, Any]:
    """Return the accuracy and the Brier score of the classifier and of taking the higher predicted score.

    Both are computed on the top two models of each prompt whose gap is not above a threshold and whose true
    scores differ. Taking the higher score always prefers the first model; its probability is that of a
    logistic regression on the predictions alone, fitted on the same rows as the classifier.

    Args:
        scored: The prompts with out-of-fold predictions.
        scores: The true scores, [n, m].
        weights: The weights of the prompts, [n].
        by_fold: For each fold, its rows and the classifier that was fitted on the other folds.
        tau: The threshold; if it is 0, the median gap.

    Returns:
        The threshold (`gap_below`), the number of pairs, and the metrics of `classifier` and `higher_score`;
        empty if no prompt has two predicted scores.
    """
    gap = top_two(scored.blended).gap
    if not np.isfinite(gap).any():
        return {}
    gap_below = tau if tau > 0 else float(np.nanquantile(gap, _DEFAULT_SHARE))
    pairs = PreferencePairs.of(scores, scored.blended, top_k=2)
    pairs = pairs.take((gap <= gap_below)[pairs.rows])
    classifier, higher = np.zeros(len(pairs)), np.zeros(len(pairs))
    for rows, fitted in by_fold:
        held_out = np.isin(pairs.rows, rows)
        training = np.setdiff1d(np.arange(len(scores)), rows)
        baseline = PairwiseClassifier.fit(
            scored.take(training), scores[training], weights[training], use_prompts=False
        )
        fold = pairs.take(held_out)
        classifier[held_out] = fitted.win_probability(scored, fold.rows, fold.a, fold.b)
        higher[held_out] = np.maximum(baseline.win_probability(scored, fold.rows, fold.a, fold.b), 0.5)
    return {
        "gap_below": gap_below,
        "pairs": len(pairs),
        "classifier": _metrics(classifier, pairs.won),
        "higher_score": _metrics(higher, pairs.won),
    }


def _metrics(first_wins: NDArray[np.floating], won: NDArray[np.bool_]) -> dict[str, float | None]:
    """Return the accuracy and the Brier score of probabilities [pairs], None without a pair."""
    if not len(won):
        return {"accuracy": None, "brier": None}
    accuracy = float(np.mean((first_wins >= 0.5) == won))
    return {"accuracy": accuracy, "brier": float(np.mean((first_wins - won) ** 2))}
