"""Duels: the pairwise classifier judged alone, on pairs of models that the scores hardly tell apart."""

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

#: Without a tau the classifier is judged on this share of the prompts, those with the smallest gaps.
_SHARE = 0.5


def pairwise_metrics(
    contest: ScoredPrompts,
    scores: NDArray[np.floating],
    weights: Array,
    by_fold: Sequence[tuple[Rows, PairwiseClassifier]],
    *,
    tau: float,
) -> dict[str, Any]:
    """Return accuracy and Brier score on the top two of prompts whose gap is below tau and scores differ.

    `by_fold` holds rows and the classifier that did not learn from them. "Taking the higher score" always
    prefers the first; its probability is a logistic regression on the predictions alone, fitted on the same
    rows as the classifier. With a tau of 0 the half of the prompts with the smaller gaps is looked at.
    """
    gap = top_two(contest.blended).gap
    if not np.isfinite(gap).any():
        return {}
    gap_below = tau if tau > 0 else float(np.nanquantile(gap, _SHARE))
    pairs = PreferencePairs.of(scores, contest.blended, top_k=2)
    pairs = pairs.take((gap <= gap_below)[pairs.rows])
    classifier, higher = np.zeros(len(pairs)), np.zeros(len(pairs))
    for rows, fallback in by_fold:
        own = np.isin(pairs.rows, rows)
        learnt = np.setdiff1d(np.arange(len(scores)), rows)
        plain = PairwiseClassifier.fit(
            contest.take(learnt), scores[learnt], weights[learnt], use_prompts=False
        )
        duel = pairs.take(own)
        classifier[own] = fallback.win_probability(contest, duel.rows, duel.a, duel.b)
        higher[own] = np.maximum(plain.win_probability(contest, duel.rows, duel.a, duel.b), 0.5)
    return {
        "gap_below": gap_below,
        "pairs": len(pairs),
        "classifier": _figures(classifier, pairs.won),
        "higher_score": _figures(higher, pairs.won),
    }


def _figures(first_wins: NDArray[np.floating], won: NDArray[np.bool_]) -> dict[str, float | None]:
    """Return accuracy and Brier score of probabilities [pairs]; None without a pair."""
    if not len(won):
        return {"accuracy": None, "brier": None}
    accuracy = float(np.mean((first_wins >= 0.5) == won))
    return {"accuracy": accuracy, "brier": float(np.mean((first_wins - won) ** 2))}
