"""Explanations of routing decisions: one line for each prompt, or its parts as values.

An explanation predicts everything again, so that routing need not keep anything for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from router_core.decisions import Decisions, Reason
from router_core.policy.preferences import Policy, Shift
from router_core.policy.shift import margin_of
from router_core.predictors.knn import knn_inputs
from router_core.predictors.scored_prompts import ScoredPrompts
from router_core.router import Router

Array = NDArray[np.float32]
Floats = NDArray[np.floating]

#: How many predicted scores and how many nearest labelled prompts a line shows.
_MODELS, _NEIGHBOURS = 3, 3

#: How a choice with the reason `CHEAPER_NOT_WORSE` is explained under each policy.
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
    shift: Shift = "guard",
) -> list[Explanation]:
    """Return the explanation of each decision that `Router.route` made with the same arguments.

    Its line has the reason, the category with its probability, the highest predicted scores, the gap with
    the pairwise classifier's probability, the cost of 1,000 such prompts, the margin that other models need,
    and the ids of the nearest labelled prompts. It contains no prompt's text.

    Args:
        router: The router that made the decisions.
        decisions: The decisions on n prompts.
        vectors: The prompts' embeddings, float32 [n, d].
        texts: The prompts' texts [n].
        policy: The policy of the decisions.
        costs: The expected costs in dollars [n, m], or None to leave costs out.
        tau: The threshold of the gap; None for the router's own.
        shift: As for `Router.route`.
    """
    scored = router.predict(vectors, texts)
    used_tau = router.hyperparameters.tau if tau is None else tau
    explainer = _Explainer(router, decisions, scored, policy, costs, used_tau, shift)
    neighbours = _neighbours(router, scored)
    return [explainer.explanation(row, neighbours[row]) for row in range(len(decisions))]


@dataclass(frozen=True, kw_only=True)
class Explanation:
    """The parts of the explanation of one decision.

    Attributes:
        model: The model that is chosen.
        reason: Why, in words.
        categories: The probability of each category, the highest first.
        predicted: The predicted score of each model, the highest first.
        gap: The gap between the highest two; None with fewer than two models.
        tau: The threshold below which the pairwise classifier decides.
        first_wins: The classifier's probability that the first beats the second; None where it is not asked.
        costs: The dollars that 1,000 such prompts cost on each model; empty where prices do not count.
        deviation_test: What another model than the best single one needs, in words; empty where nothing.
        neighbours: The ids of the nearest labelled prompts, the nearest first.
        line: All of it in a line for people.
    """

    model: str
    reason: str
    categories: dict[str, float]
    predicted: dict[str, float]
    gap: float | None
    tau: float
    first_wins: float | None
    costs: dict[str, float]
    deviation_test: str
    neighbours: tuple[str, ...]
    line: str


@dataclass(frozen=True)
class _Explainer:
    router: Router
    decisions: Decisions
    scored: ScoredPrompts
    policy: Policy
    costs: Floats | None
    tau: float
    shift: Shift

    def _line(self, row: int, neighbours: Sequence[str]) -> str:
        parts = [
            f"{self.decisions.model(row)}: {self._reason(row)}",
            self._category(row),
            self._scores(row),
            self._gap(row),
            self._cost(row),
            self._margin(),
            f"most like {', '.join(neighbours)}" if neighbours else "",
        ]
        return "; ".join(part for part in parts if part)

    def explanation(self, row: int, neighbours: Sequence[str]) -> Explanation:
        gap = float(self.decisions.gap[row])
        return Explanation(
            model=self.decisions.model(row),
            reason=self._reason(row),
            categories=_falling(zip(self.router.categories, self._posterior(row), strict=True)),
            predicted=_falling(self.decisions.predicted_scores(row).items()),
            gap=gap if np.isfinite(gap) else None,
            tau=self.tau,
            first_wins=self._first_wins(row) if self.decisions.used_fallback[row] else None,
            costs={} if self.costs is None else self._costs_of_1000(self.costs[row]),
            deviation_test=self._margin(),
            neighbours=tuple(neighbours),
            line=self._line(row, neighbours),
        )

    def _posterior(self, row: int) -> list[float]:
        return [float(value) for value in self.scored.predictions.posterior[row]]

    def _first_wins(self, row: int) -> float:
        return self._win_probability(row, *self._highest_two(row))

    def _costs_of_1000(self, costs: Floats) -> dict[str, float]:
        return {name: 1000 * float(cost) for name, cost in zip(self.decisions.models, costs, strict=True)}

    def _reason(self, row: int) -> str:
        reason = Reason(int(self.decisions.reason[row]))
        if reason is Reason.CHEAPER_NOT_WORSE:
            return _CHEAPER.get(self.policy, "cheaper and not worse").format(best=self.router.best_single)
        return {
            Reason.PREDICTED_BEST: "highest predicted score",
            Reason.FALLBACK_CLASSIFIER: "the classifier decided between the highest two",
            Reason.GUARD_BEST_SINGLE: "best single model, and no other promises enough more",
            Reason.UNFAMILIAR: "best single model, as no labelled prompt is like this one",
            Reason.DEFAULT_MODEL: "the router knows none of the models to choose from",
        }.get(reason, reason.name.lower())

    def _category(self, row: int) -> str:
        name = self.decisions.category_name(row)
        if name is None:
            return ""
        probability = float(self.scored.predictions.posterior[row, int(self.decisions.category[row])])
        return f"category {name} ({probability:.0%})"

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
        probability = self._win_probability(row, first, second)
        return f"gap {gap:.3f} below tau {self.tau:.3f}, P({first} beats {second}) = {probability:.2f}"

    def _highest_two(self, row: int) -> tuple[str, str]:
        known = np.nan_to_num(self.decisions.predicted[row], nan=-np.inf)
        # Equal scores are ordered by name, as the router orders them.
        names = np.array(self.decisions.models, dtype=np.str_)
        first, second = np.lexsort((names, -known))[:2]
        return self.decisions.models[first], self.decisions.models[second]

    def _win_probability(self, row: int, first: str, second: str) -> float:
        columns = [self.router.models.index(name) for name in (first, second)]
        rows, a, b = (np.array([index]) for index in (row, *columns))
        return float(self.router.predictors.pairwise.win_probability(self.scored, rows, a, b)[0])

    def _cost(self, row: int) -> str:
        if self.costs is None:
            return ""
        chosen = f"${1000 * self.costs[row, int(self.decisions.choice[row])]:.4g}"
        best = self.router.best_single
        if best == self.decisions.model(row) or best not in self.decisions.models:
            return f"{chosen} for 1,000 such prompts"
        other = f"${1000 * self.costs[row, self.decisions.models.index(best)]:.4g}"
        return f"{chosen} for 1,000 such prompts, {best} {other}"

    def _margin(self) -> str:
        margin = margin_of(self.router.hyperparameters, self.policy, self.shift)
        best = self.router.best_single
        if margin is None:
            tested = f"on inner folds no choice of {self.policy!r} paid"
            return f"deviation test: {tested}, so none counts as better than {best}"
        if margin == 0:
            return ""
        required = margin * self.router.hyperparameters.score_range
        return f"deviation test: others must promise {required:.3g} more than {best}"


def _falling(values: Iterable[tuple[str, float]]) -> dict[str, float]:
    """Return values by name, the highest first."""
    return dict(sorted(values, key=lambda one: -one[1]))


def _neighbours(router: Router, scored: ScoredPrompts) -> list[list[str]]:
    """Return the ids of the labelled prompts nearest to each prompt, nearest first."""
    ensemble = router.predictors.ensemble
    task_probabilities = ensemble.group_means.classifier.posterior(scored.representation)
    inputs = knn_inputs(scored.representation, task_probabilities)
    _, rows = ensemble.knn.neighbours(inputs, _NEIGHBOURS)
    return [router.labelled_ids.at(nearest) for nearest in rows.tolist()]
