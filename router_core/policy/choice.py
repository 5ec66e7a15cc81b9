"""The choice of one model for each prompt, from predicted scores, expected costs and preferences.

The functions are pure arithmetic on arrays. There are five policies:

`quality`   the highest predicted score; at equal scores the cheaper model.
`saving`    the cheapest model whose predicted score is not below the best single model's for that prompt.
`weighted`  the highest predicted score less a weight times cost ÷ cost of the best single model.
`budget`    the highest sum of predicted scores that keeps the mean expected cost of the chunk within a limit.
`cargo`     the rule of CARGO (arXiv 2509.14899, section 3): the highest predicted score, prices ignored.

In all of them, where the two highest scores are closer than tau, a pairwise classifier decides which of the
two models is better. If it prefers the second, their scores are swapped before the policy is applied.

The best single model is the one with the highest mean score in training. The choice of another model is a
deviation. Training finds for each policy the margin by which another model's predicted score must be higher;
it is None if no deviation was significant on the inner folds (`router_core.training.deviation_tests`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from router_core.decisions import Reason
from router_core.policy.budget import choose_within_budget
from router_core.policy.preferences import RoutingPreferences

Scores = NDArray[np.floating]

#: If no deviation is significant, every other model's score is at least this share of the range of the scores
#: below that of the best single model, so that quality is never given up for a negligible saving.
CONSERVATIVE_MARGIN = 0.01
#: Scores that differ by less than this share of their range are equal, because they are stored as float32.
TIE_TOLERANCE = 1e-6


@dataclass(frozen=True)
class TopTwo:
    """The two models with the highest predicted scores of each prompt.

    Attributes:
        first: The index of the model with the highest score, [n].
        second: The index of the model with the second highest score, [n].
        gap: The difference of the two scores, [n], NaN where there are not two.
    """

    first: NDArray[np.int64]
    second: NDArray[np.int64]
    gap: NDArray[np.float32]

    def close(self, tau: float) -> NDArray[np.bool_]:
        """Return whether each prompt's gap is below tau, where the pairwise classifier decides, bool [n]."""
        return np.asarray(self.gap < tau)


@dataclass(frozen=True)
class Choice:
    """The chosen models.

    Attributes:
        choice: The index of each prompt's model, [n].
        reason: Why it was chosen, a value of `Reason`, [n].
        ranking: All models in the order to try them, best first, [n, m].
    """

    choice: NDArray[np.int64]
    reason: NDArray[np.uint8]
    ranking: NDArray[np.int64]


def top_two(predicted: Scores) -> TopTwo:
    """Return the two highest scores of each row of [n, m]; NaN marks a model without a prediction."""
    n, m = predicted.shape
    if m < 2:
        zeros = np.zeros(n, dtype=np.int64)
        return TopTwo(zeros, zeros, np.full(n, np.nan, dtype=np.float32))
    order = np.argsort(-_unknown_as_lowest(predicted), axis=1, kind="stable")[:, :2]
    high, low = np.take_along_axis(predicted, order, axis=1).T
    return TopTwo(order[:, 0], order[:, 1], (high - low).astype(np.float32))


def revise(predicted: Scores, top: TopTwo, first_wins: Scores) -> Scores:
    """Return the scores with the two highest swapped where the pairwise classifier prefers the second.

    Args:
        predicted: The predicted scores, [n, m].
        top: The two highest of them.
        first_wins: P(first beats second), [n], NaN where the pairwise classifier does not decide.
    """
    rows = np.flatnonzero(first_wins < 0.5)
    revised = predicted.copy()
    first, second = top.first[rows], top.second[rows]
    revised[rows, first], revised[rows, second] = predicted[rows, second], predicted[rows, first]
    return revised


def choose(
    revised: Scores,
    *,
    costs: Scores,
    best_single: int,
    decided_pairwise: NDArray[np.bool_],
    preferences: RoutingPreferences,
    margin: float | None = 0.0,
    score_range: float = 1.0,
    unfamiliar: NDArray[np.bool_] | None = None,
) -> Choice:
    """Choose a model for each prompt.

    Args:
        revised: The predicted scores after `revise`, [n, m]; NaN for a model without one, which is chosen
            only when no other is left.
        costs: The expected costs, dollars, [n, m]; NaN where unknown, which counts as the highest.
        best_single: The index of the model with the highest mean score in training.
        decided_pairwise: For which prompts the pairwise classifier decided, [n].
        preferences: The policy and its parameters.
        margin: By how much another model's score must exceed that of the best single model to count as
            better, as a share of `score_range`; None if no deviation is significant.
        score_range: The range of the scores in training.
        unfamiliar: Which prompts take the best single model whatever the policy, [n]; by default none.
    """
    unfamiliar = np.zeros(len(revised), dtype=np.bool_) if unfamiliar is None else unfamiliar
    costs = np.zeros_like(revised) if preferences.policy == "cargo" else np.nan_to_num(costs, nan=np.inf)
    penalised = _penalise_deviations(revised, best_single, margin, score_range)
    utility = _utility(penalised, costs, best_single, preferences, score_range)
    if preferences.policy == "budget" and preferences.budget is not None:
        within = choose_within_budget(utility, _finite(costs), limit=preferences.budget / 1000)
        eligible = within[:, None] == np.arange(revised.shape[1])
    else:
        eligible = _eligible(revised, utility, best_single, preferences, TIE_TOLERANCE * score_range)
    held = unfamiliar & ~np.isnan(revised[:, best_single])
    eligible = np.where(held[:, None], np.arange(revised.shape[1]) == best_single, eligible)
    ranking = _rank(utility, costs, eligible)
    choice = ranking[:, 0]
    no_significant_deviation = (margin is None) | (
        (choice == best_single) & ~_is_best(revised, choice, TIE_TOLERANCE * score_range)
    )
    reasons = _reasons(
        penalised, choice, decided_pairwise, no_significant_deviation, TIE_TOLERANCE * score_range
    )
    return Choice(choice, np.where(held, np.uint8(Reason.UNFAMILIAR), reasons), ranking)


def _penalise_deviations(
    revised: Scores, best_single: int, margin: float | None, score_range: float
) -> Scores:
    """Return the scores with those of all models but the best single one lowered by the margin.

    If no deviation is significant (None), scores above that of the best single model are first cut to it.
    Those below it stay different, so that a user who trades quality for cost still gets good trades.
    """
    others = (np.arange(revised.shape[1]) != best_single).astype(revised.dtype)
    if margin is None:
        return np.asarray(
            np.minimum(revised, revised[:, [best_single]]) - CONSERVATIVE_MARGIN * score_range * others
        )
    return np.asarray(revised - margin * score_range * others)


def _utility(
    revised: Scores, costs: Scores, best_single: int, preferences: RoutingPreferences, score_range: float
) -> Scores:
    """Return the utility of each model, [n, m], -inf for one without a prediction."""
    known = _unknown_as_lowest(revised)
    if preferences.policy == "weighted":
        return known - preferences.cost_weight * score_range * _relative_to_best_single(costs, best_single)
    return known


def _eligible(
    revised: Scores, utility: Scores, best_single: int, preferences: RoutingPreferences, tolerance: float
) -> NDArray[np.bool_]:
    """Return the models of which the cheapest is chosen, bool [n, m].

    By `saving`, they are all that are good enough; by the other policies, those of the highest utility.
    """
    saving = preferences.policy == "saving"
    threshold = (
        utility[:, [best_single]] - preferences.quality_floor
        if saving
        else utility.max(axis=1, keepdims=True)
    )
    return np.asarray((utility >= threshold - tolerance) & ~np.isnan(revised))


def _rank(utility: Scores, costs: Scores, eligible: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return the order of the models in each row, [n, m]: the eligible by cost, then the others by utility.

    Ties in cost are broken by utility, and ties in utility by cost.
    """
    cost_of_eligible = np.where(eligible, costs, 0.0)
    return np.lexsort((costs, -utility, cost_of_eligible, ~eligible), axis=1)


def _reasons(
    penalised: Scores,
    choice: NDArray[np.int64],
    decided_pairwise: NDArray[np.bool_],
    no_significant_deviation: NDArray[np.bool_],
    tolerance: float,
) -> NDArray[np.uint8]:
    unknown = np.isnan(penalised[np.arange(len(choice)), choice])
    conditions = [
        unknown,
        ~_is_best(penalised, choice, tolerance),
        no_significant_deviation,
        decided_pairwise,
    ]
    reasons = [Reason.DEFAULT_MODEL, Reason.CHEAPER_NOT_WORSE, Reason.GUARD_BEST_SINGLE]
    reasons.append(Reason.FALLBACK_CLASSIFIER)
    return np.select(conditions, reasons, Reason.PREDICTED_BEST).astype(np.uint8)


def _is_best(scores: Scores, choice: NDArray[np.int64], tolerance: float) -> NDArray[np.bool_]:
    """Return for which prompts the chosen model has the highest score, bool [n]; never if it has no score."""
    chosen = scores[np.arange(len(choice)), choice]
    return np.asarray(chosen >= _unknown_as_lowest(scores).max(axis=1, initial=-np.inf) - tolerance)


def _relative_to_best_single(costs: Scores, best_single: int) -> Scores:
    """Return costs relative to those of the best single model, or to the row's highest where that is free."""
    finite = _finite(costs)
    best_cost = finite[:, [best_single]]
    reference = np.where(best_cost > 0, best_cost, finite.max(axis=1, keepdims=True))
    return finite / np.where(reference > 0, reference, 1.0)


def _finite(costs: Scores) -> Scores:
    """Return costs [n, m] with the row's highest in the place of unknown ones."""
    highest = np.where(np.isfinite(costs), costs, 0.0).max(axis=1, keepdims=True, initial=0.0)
    return np.where(np.isfinite(costs), costs, highest)


def _unknown_as_lowest(predicted: Scores) -> Scores:
    return np.where(np.isnan(predicted), -np.inf, predicted)
