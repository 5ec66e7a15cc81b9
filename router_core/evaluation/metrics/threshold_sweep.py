"""The paper's two figures against tau: what the scores decide alone, and how often they are right.

CARGO (arXiv 2509.14899): where the gap of the two highest predictions is below tau, the classifier decides.
Coverage is the share of prompts that it is not asked about, selection accuracy how often the choice there is
the best model.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from router_core.evaluation.metrics.accuracy import best_set_top1, strict_top1
from router_core.evaluation.metrics.bootstrap import finite_or_none
from router_core.evaluation.outcomes import Outcomes
from router_core.evaluation.pairwise_predictions import PairwisePredictions

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]

#: Shares of the prompts, those with the smallest gaps, that the classifier is asked about.
_SHARES = tuple(index / 20 for index in range(21))


@dataclass(frozen=True)
class ThresholdPoint:
    """What policy `cargo` reaches at one tau; accuracies count a choice as right if its score is the best.

    The strict ones look at prompts with one best model only. `classifier_share` is 1 - coverage.
    """

    tau: float
    coverage: float
    classifier_share: float
    selection_accuracy: float
    strict_selection_accuracy: float
    accuracy: float
    strict_accuracy: float
    quality: float

    def to_dict(self) -> dict[str, float | None]:
        """Return plain values for JSON."""
        return {name: finite_or_none(value) for name, value in vars(self).items()}


def threshold_points(outcomes: Outcomes, duels: PairwisePredictions) -> tuple[ThresholdPoint, ...]:
    """Return the figures at taus between none and all of the prompts; nothing with fewer than two models."""
    gap = duels.gap
    if not np.isfinite(gap).any():
        return ()
    taus = np.unique(np.quantile(gap[np.isfinite(gap)], _SHARES))
    # Just above the widest gap, so that the last one asks about every prompt.
    taus = np.unique([0.0, *taus[taus > 0], float(np.nextafter(taus[-1], np.inf))])
    return tuple(threshold_point(outcomes, duels, float(tau)) for tau in taus)


def threshold_point(outcomes: Outcomes, duels: PairwisePredictions, tau: float) -> ThresholdPoint:
    """Return the figures at one tau."""
    asked = duels.gap < tau
    choice = np.where(asked & (duels.first_wins < 0.5), duels.second, duels.first)
    rows = np.arange(len(choice))
    right = best_set_top1(outcomes)[rows, choice]
    strict = strict_top1(outcomes)[rows, choice]
    return ThresholdPoint(
        tau=tau,
        coverage=float(1 - asked.mean()),
        classifier_share=float(asked.mean()),
        selection_accuracy=_mean(right[~asked]),
        strict_selection_accuracy=_mean(strict[~asked]),
        accuracy=_mean(right),
        strict_accuracy=_mean(strict),
        quality=_mean(outcomes.scores[rows, choice]),
    )


def _mean(values: Floats) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else float("nan")
