"""Coverage and selection accuracy against the threshold tau, as in CARGO (arXiv 2509.14899).

Where the gap between the two highest predicted scores is below tau, the pairwise classifier decides. Coverage
is the share of the other prompts, on which the predicted scores alone decide. Selection accuracy is how often
the choice on these prompts is the best model.
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

#: The shares of the prompts, those with the smallest gaps, on which the classifier decides.
_CLASSIFIER_SHARES = tuple(index / 20 for index in range(21))


@dataclass(frozen=True)
class ThresholdPoint:
    """The results of policy `cargo` at one tau.

    A choice is accurate if its score equals the best score. The strict accuracies are over the prompts with a
    single best model.

    Attributes:
        tau: The threshold of the gap.
        coverage: The share of prompts on which the predicted scores decide.
        classifier_share: The share on which the classifier decides, 1 - coverage.
        selection_accuracy: The accuracy where the predicted scores decide.
        strict_selection_accuracy: The strict accuracy there.
        accuracy: The accuracy on all prompts.
        strict_accuracy: The strict accuracy on all prompts.
        quality: The mean score.
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
        """Return plain values for JSON; NaN becomes None."""
        return {name: finite_or_none(value) for name, value in vars(self).items()}


def threshold_points(outcomes: Outcomes, pairwise: PairwisePredictions) -> tuple[ThresholdPoint, ...]:
    """Return the results at thresholds under which the classifier decides on 0 to 100 % of the prompts.

    Empty with fewer than two models.
    """
    gap = pairwise.gap
    if not np.isfinite(gap).any():
        return ()
    taus = np.unique(np.quantile(gap[np.isfinite(gap)], _CLASSIFIER_SHARES))
    # The last tau is just above the widest gap, so that the classifier decides on every prompt.
    taus = np.unique([0.0, *taus[taus > 0], float(np.nextafter(taus[-1], np.inf))])
    return tuple(threshold_point(outcomes, pairwise, float(tau)) for tau in taus)


def threshold_point(outcomes: Outcomes, pairwise: PairwisePredictions, tau: float) -> ThresholdPoint:
    """Return the results at one threshold."""
    decided_pairwise = pairwise.gap < tau
    second_chosen = decided_pairwise & (pairwise.first_wins < 0.5)
    choice = np.where(second_chosen, pairwise.second, pairwise.first)
    rows = np.arange(len(choice))
    accurate = best_set_top1(outcomes)[rows, choice]
    strict = strict_top1(outcomes)[rows, choice]
    return ThresholdPoint(
        tau=tau,
        coverage=float(1 - decided_pairwise.mean()),
        classifier_share=float(decided_pairwise.mean()),
        selection_accuracy=_mean(accurate[~decided_pairwise]),
        strict_selection_accuracy=_mean(strict[~decided_pairwise]),
        accuracy=_mean(accurate),
        strict_accuracy=_mean(strict),
        quality=_mean(outcomes.scores[rows, choice]),
    )


def _mean(values: Floats) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else float("nan")
