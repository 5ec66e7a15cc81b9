"""The choice: from predicted scores, prices and the user's wish to one model a prompt.

Scores are predicted elsewhere; everything here is arithmetic on arrays. Three policies:

`quality`  the highest predicted score; at equal scores the cheaper model.
`saving`   the cheapest model whose predicted score is not below the best single model's for that prompt.
`cargo`    the paper's own (arXiv 2509.14899, section 3): the highest predicted score, prices ignored.

In all three, where the two highest scores are closer than tau, a pairwise classifier decides which of
the two stands higher, by swapping their scores; the rule is then applied to the scores so revised.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from router_core.decisions import Reason

Policy = Literal["quality", "saving", "cargo"]
POLICIES: tuple[Policy, ...] = get_args(Policy)

Scores = NDArray[np.floating]

#: Predicted scores closer than this are equal: they are stored as float32.
EQUAL = 1e-6


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
    order = np.argsort(-_known(predicted), axis=1, kind="stable")[:, :2]
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
    asked: NDArray[np.bool_],
    policy: Policy = "saving",
    quality_floor: float = 0.0,
    held: bool = False,
) -> Choice:
    """Choose a model for each prompt.

    `revised` [n, m] are the predicted scores after the classifier had its say, NaN for a model that has
    none: it is chosen only when no other is left. `costs` [n, m] in dollars, NaN where unknown.
    `best_single` is the model with the highest mean. `quality_floor` is how far below that model's
    prediction, in units of the score, `saving` may go. `asked` [n] marks the prompts that the classifier
    decided, `held` that the guard lets no prediction count.
    """
    costs = np.zeros_like(revised) if policy == "cargo" else np.nan_to_num(costs, nan=np.inf, posinf=np.inf)
    ranking = _rank(revised, costs, _eligible(revised, best_single, quality_floor, policy))
    choice = ranking[:, 0]
    return Choice(choice, _reasons(revised, choice, asked, held), ranking)


def _eligible(revised: Scores, best_single: int, quality_floor: float, policy: Policy) -> NDArray[np.bool_]:
    """Return [n, m], which models the cheapest is chosen from: under `saving` all that are good enough."""
    known = _known(revised)
    bar = known[:, [best_single]] - quality_floor if policy == "saving" else known.max(axis=1, keepdims=True)
    return np.asarray((known >= bar - EQUAL) & np.isfinite(known))


def _rank(revised: Scores, costs: Scores, eligible: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Order each row: the eligible by cost, then the others by score; ties by the other of the two."""
    cost_of_eligible = np.where(eligible, costs, 0.0)
    return np.lexsort((costs, -_known(revised), cost_of_eligible, ~eligible), axis=1)


def _reasons(
    revised: Scores, choice: NDArray[np.int64], asked: NDArray[np.bool_], held: bool
) -> NDArray[np.uint8]:
    chosen = revised[np.arange(len(revised)), choice]
    best = _known(revised).max(axis=1, initial=-np.inf)
    conditions = [np.isnan(chosen), chosen < best - EQUAL, np.full(len(revised), held), asked]
    reasons = [Reason.DEFAULT_MODEL, Reason.CHEAPER_NOT_WORSE, Reason.GUARD_BEST_SINGLE]
    reasons.append(Reason.FALLBACK_CLASSIFIER)
    return np.select(conditions, reasons, Reason.PREDICTED_BEST).astype(np.uint8)


def _known(predicted: Scores) -> Scores:
    return np.where(np.isnan(predicted), -np.inf, predicted)
