"""Explanations: one line a prompt that says why its model was chosen.

Made only when asked for: everything is predicted once more, so that routing itself carries nothing along.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from router_core.decisions import Decisions, Reason
from router_core.policy.preferences import Policy
from router_core.predictors.knn import knn_inputs
from router_core.predictors.scored_prompts import ScoredPrompts
from router_core.router import Router

Array = NDArray[np.float32]
Floats = NDArray[np.floating]

#: How many predicted scores and nearest labelled prompts are told.
_MODELS, _NEIGHBOURS = 3, 3

_CHEAPER = {
    "saving": "cheapest not predicted below {best}",
    "weighted": "best once its cost is weighed",
    "budget": "best within the budget",
}


def explain(
    router: Router,
    decisions: Decisions,
    vectors: Array,
    texts: Sequence[str],
    *,
    policy: Policy,
    costs: Floats | None = None,
    tau: float | None = None,
) -> list[str]:
    """Return one line for each of the decisions that `Router.route` made with the same arguments.

    A line tells reason, category with its probability, highest predicted scores, gap and classifier, price
    for 1,000 such prompts, guard, and the nearest labelled prompts by id. No prompt's text is in it.
    """
    contest = router.predict(vectors, texts)
    told = _Told(
        router, decisions, contest, policy, costs, router.hyperparameters.tau if tau is None else tau
    )
    neighbours = _neighbours(router, contest)
    return [told.line(row, neighbours[row]) for row in range(len(decisions))]


@dataclass(frozen=True)
class _Told:
    router: Router
    decisions: Decisions
    contest: ScoredPrompts
    policy: Policy
    costs: Floats | None
    tau: float

    def line(self, row: int, neighbours: Sequence[str]) -> str:
        parts = [
            f"{self.decisions.model(row)}: {self._reason(row)}",
            self._category(row),
            self._scores(row),
            self._gap(row),
            self._price(row),
            self._guard(),
            f"most like {', '.join(neighbours)}" if neighbours else "",
        ]
        return "; ".join(part for part in parts if part)

    def _reason(self, row: int) -> str:
        reason = Reason(int(self.decisions.reason[row]))
        if reason is Reason.CHEAPER_NOT_WORSE:
            return _CHEAPER.get(self.policy, "cheaper and not worse").format(best=self.router.best_single)
        return {
            Reason.PREDICTED_BEST: "highest predicted score",
            Reason.FALLBACK_CLASSIFIER: "the classifier decided between the highest two",
            Reason.GUARD_BEST_SINGLE: "best single model, and no other promises enough more",
            Reason.DEFAULT_MODEL: "the router knows none of the models to choose from",
        }.get(reason, reason.name.lower())

    def _category(self, row: int) -> str:
        name = self.decisions.category_name(row)
        if name is None:
            return ""
        share = float(self.contest.predictions.posterior[row, int(self.decisions.category[row])])
        return f"category {name} ({share:.0%})"

    def _scores(self, row: int) -> str:
        predicted = self.decisions.predicted_scores(row)
        highest = sorted(predicted, key=predicted.__getitem__, reverse=True)[:_MODELS]
        return (
            f"predicted {', '.join(f'{name} {predicted[name]:.3f}' for name in highest)}" if highest else ""
        )

    def _gap(self, row: int) -> str:
        gap = float(self.decisions.gap[row])
        if not np.isfinite(gap):
            return ""
        if not self.decisions.used_fallback[row]:
            return f"gap {gap:.3f} not below tau {self.tau:.3f}"
        first, second = self._highest_two(row)
        wins = self._first_wins(row, first, second)
        return f"gap {gap:.3f} below tau {self.tau:.3f}, P({first} beats {second}) = {wins:.2f}"

    def _highest_two(self, row: int) -> tuple[str, str]:
        known = np.nan_to_num(self.decisions.predicted[row], nan=-np.inf)
        # By name among equals, as the router's own order is.
        names = np.array(self.decisions.models, dtype=np.str_)
        first, second = np.lexsort((names, -known))[:2]
        return self.decisions.models[first], self.decisions.models[second]

    def _first_wins(self, row: int, first: str, second: str) -> float:
        rows, a, b = (
            np.array([index])
            for index in (row, self.router.models.index(first), self.router.models.index(second))
        )
        return float(self.router.predictors.pairwise.win_probability(self.contest, rows, a, b)[0])

    def _price(self, row: int) -> str:
        if self.costs is None:
            return ""
        chosen = f"${1000 * self.costs[row, int(self.decisions.choice[row])]:.4g}"
        best = self.router.best_single
        if best == self.decisions.model(row) or best not in self.decisions.models:
            return f"{chosen} for 1,000 such prompts"
        other = f"${1000 * self.costs[row, self.decisions.models.index(best)]:.4g}"
        return f"{chosen} for 1,000 such prompts, {best} {other}"

    def _guard(self) -> str:
        margin = self.router.hyperparameters.margins[self.policy]
        if margin is None:
            best = self.router.best_single
            paid = f"on inner folds no choice of {self.policy!r} paid"
            return f"guard holds: {paid}, so none counts as better than {best}"
        if margin == 0:
            return ""
        more = margin * self.router.hyperparameters.score_range
        return f"guard: others must promise {more:.3g} more than {self.router.best_single}"


def _neighbours(router: Router, contest: ScoredPrompts) -> list[list[str]]:
    """Return the ids of the labelled prompts that are nearest to each prompt."""
    ensemble = router.predictors.ensemble
    tasks = ensemble.group_means.classifier.posterior(contest.representation)
    _, rows = ensemble.knn.neighbours(knn_inputs(contest.representation, tasks), _NEIGHBOURS)
    return [router.labelled_ids.at(own) for own in rows.tolist()]
