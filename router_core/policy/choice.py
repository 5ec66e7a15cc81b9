"""The choice: from predicted scores, prices and the user's wish to one model a prompt.

Scores are predicted elsewhere; everything here is arithmetic on arrays. Five policies:

`quality`   the highest predicted score; at equal scores the cheaper model.
`saving`    the cheapest model whose predicted score is not below the best single model's for that prompt.
`weighted`  the highest predicted score less a weight times the cost relative to the best single model's.
`budget`    the highest sum of predicted scores that keeps the mean expected cost of the chunk within a limit.
`cargo`     the paper's own (arXiv 2509.14899, section 3): the highest predicted score, prices ignored.

In all of them, where the two highest scores are closer than tau, a pairwise classifier decides which of
the two stands higher, by swapping their scores; the rule is then applied to the scores so revised.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from router_core.decisions import Reason
from router_core.policy.budget import choose_within_budget
from router_core.policy.preferences import RoutingPreferences

Scores = NDArray[np.floating]

#: While the guard holds, every other model stands at least this share of the scores' range below the best
#: single one: what a trade saves must be worth something.
CONSERVATIVE_MARGIN = 0.01
#: Predicted scores closer than this share of their unit are equal: they are stored as float32.
TIE_TOLERANCE = 1e-6


@dataclass(frozen=True)
class TopTwo:
    """The two highest predicted scores of each prompt; `gap` is NaN where there are not two."""

    first: NDArray[np.int64]  # [n]
    second: NDArray[np.int64]  # [n]
    gap: NDArray[np.float32]  # [n]

    def close(self, tau: float) -> NDArray[np.bool_]:
        """Return the prompts whose gap is below tau, which the pairwise classifier decides."""
        return np.asarray(self.gap < tau)


@dataclass(frozen=True)
class Choice:
    """The chosen model of each prompt, why, and the order in which to try all models."""

    choice: NDArray[np.int64]  # [n]
    reason: NDArray[np.uint8]  # [n], of Reason
    ranking: NDArray[np.int64]  # [n, m], best first


def top_two(predicted: Scores) -> TopTwo:
    """Return the two highest of each row of [n, m]; NaN marks a model without a prediction."""
    n, m = predicted.shape
    if m < 2:
        nobody = np.zeros(n, dtype=np.int64)
        return TopTwo(nobody, nobody, np.full(n, np.nan, dtype=np.float32))
    order = np.argsort(-_unknown_as_lowest(predicted), axis=1, kind="stable")[:, :2]
    high, low = np.take_along_axis(predicted, order, axis=1).T
    return TopTwo(order[:, 0], order[:, 1], (high - low).astype(np.float32))


def revise(predicted: Scores, top: TopTwo, first_wins: Scores) -> Scores:
    """Swap the two highest scores where the classifier prefers the second.

    `first_wins` [n] is P(first beats second), NaN where the classifier was not asked.
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
) -> Choice:
    """Choose a model for each prompt.

    `revised` [n, m] are the predicted scores after the classifier had its say, NaN for a model that has
    none: it is chosen only when no other is left. `costs` [n, m] are expected dollars, NaN where unknown,
    which counts as the highest. `best_single` is the model with the highest mean. `asked` [n] marks the
    prompts that the classifier decided. `margin` is what another model must promise beyond the best single
    one, in shares of `unit`, the range of the scores; None says that the guard holds, and no promise counts.
    """
    costs = np.zeros_like(revised) if preferences.policy == "cargo" else np.nan_to_num(costs, nan=np.inf)
    penalised = _penalise_deviations(revised, best_single, margin, score_range)
    utility = _utility(penalised, costs, best_single, preferences, score_range)
    if preferences.policy == "budget" and preferences.budget is not None:
        within = choose_within_budget(utility, _finite(costs), limit=preferences.budget / 1000)
        eligible = within[:, None] == np.arange(revised.shape[1])
    else:
        eligible = _eligible(revised, utility, best_single, preferences, TIE_TOLERANCE * score_range)
    ranking = _rank(utility, costs, eligible)
    choice = ranking[:, 0]
    no_significant_deviation = (margin is None) | (
        (choice == best_single) & ~_is_best(revised, choice, TIE_TOLERANCE * score_range)
    )
    return Choice(
        choice,
        _reasons(penalised, choice, decided_pairwise, no_significant_deviation, TIE_TOLERANCE * score_range),
        ranking,
    )


def _penalise_deviations(
    revised: Scores, best_single: int, margin: float | None, score_range: float
) -> Scores:
    """Return the scores with all models but the best single one lowered by the margin.

    While the guard holds (None), no model is believed to be better than the best single one; by how much it
    is worse is believed, so that a user who asks to trade quality for money still trades well.
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
    """Return what each model is worth [n, m], -inf for one without a prediction."""
    known = _unknown_as_lowest(revised)
    if preferences.policy == "weighted":
        return known - preferences.cost_weight * score_range * _relative_to_best_single(costs, best_single)
    return known


def _eligible(
    revised: Scores, utility: Scores, best_single: int, preferences: RoutingPreferences, tolerance: float
) -> NDArray[np.bool_]:
    """Return [n, m], which models the cheapest is chosen from: under `saving` all that are good enough."""
    saving = preferences.policy == "saving"
    bar = (
        utility[:, [best_single]] - preferences.quality_floor
        if saving
        else utility.max(axis=1, keepdims=True)
    )
    return np.asarray((utility >= bar - tolerance) & ~np.isnan(revised))


def _rank(utility: Scores, costs: Scores, eligible: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Order each row: the eligible by cost, then the others by utility; ties by the other of the two."""
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
    """Return where the chosen model's score is the highest, [n]; a model without a score never is."""
    chosen = scores[np.arange(len(choice)), choice]
    return np.asarray(chosen >= _unknown_as_lowest(scores).max(axis=1, initial=-np.inf) - tolerance)


def _relative_to_best_single(costs: Scores, best_single: int) -> Scores:
    """Return costs [n, m] in units of the best single model's, or of the row's dearest where that is free."""
    finite = _finite(costs)
    own = finite[:, [best_single]]
    unit = np.where(own > 0, own, finite.max(axis=1, keepdims=True))
    return finite / np.where(unit > 0, unit, 1.0)


def _finite(costs: Scores) -> Scores:
    """Return costs [n, m] with the row's dearest in the place of an unknown one."""
    dearest = np.where(np.isfinite(costs), costs, 0.0).max(axis=1, keepdims=True, initial=0.0)
    return np.where(np.isfinite(costs), costs, dearest)


def _unknown_as_lowest(predicted: Scores) -> Scores:
    return np.where(np.isnan(predicted), -np.inf, predicted)
