"""The result of an evaluation as plain values, for tables, JSON, plots and the HTML report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from router_core.evaluation.best_constant import BestConstant
from router_core.evaluation.cost_quality_curves import CostQualityCurve
from router_core.evaluation.knn_comparison import KnnComparison
from router_core.evaluation.luck import Luck
from router_core.evaluation.metrics.bootstrap import REPLICATES, EstimateWithError, finite_or_none
from router_core.evaluation.metrics.calibration import Calibration, Confusion
from router_core.evaluation.metrics.threshold_sweep import ThresholdPoint
from router_core.evaluation.strategy_results import StrategyResult

#: The version of the JSON format.
FORMAT = 1


@dataclass(frozen=True)
class DataSummary:
    """Counts of the labelled rows that a router was evaluated on.

    Attributes:
        rows: The number of rows that were read.
        used: The number of rows that were used.
        learnt_from: The number of rows whose prompts the router was trained on.
        training_included: Whether these rows were used; they are left out otherwise.
        without_scores: The number of rows left out because none of the router's models has a score there.
        missing_scores: The number of the router's models' scores that the used rows lack.
        missing_costs: The number of the router's models' costs that the used rows lack.
        unknown_scores: The number of scores of models that the router does not know.
        unknown_models: The names of these models.
    """

    rows: int
    used: int
    learnt_from: int
    training_included: bool
    without_scores: int
    missing_scores: int
    missing_costs: int
    unknown_scores: int
    unknown_models: tuple[str, ...] = ()

    @property
    def flagged(self) -> bool:
        """Whether the results are not held out, because training prompts were included."""
        return self.training_included and self.learnt_from > 0

    def notes(self) -> list[str]:
        """Return the notes that readers of the results need, one sentence each; a warning comes first."""
        learnt_from = f"{self.learnt_from:,} of {self.rows:,} rows"
        notes = []
        if self.flagged:
            notes.append(f"NOT HELD OUT: the router has learnt from the prompts of {learnt_from}")
        elif self.learnt_from:
            notes.append(f"{learnt_from} left out: the router has learnt from their prompts")
        if self.without_scores:
            notes.append(f"{self.without_scores:,} rows left out: no score of a model of the router")
        if self.unknown_scores:
            notes.append(
                f"{self.unknown_scores:,} scores of models that the router does not know passed over:"
                f" {', '.join(self.unknown_models)}"
            )
        if self.missing_scores or self.missing_costs:
            missing = f"{self.missing_scores:,} scores and {self.missing_costs:,} costs missing"
            notes.append(f"{missing}: a prompt counts for a line where the chosen model has them")
        return notes


@dataclass(frozen=True)
class RouterSummary:
    """The evaluated router, or the routers of all folds of a cross-validation.

    Attributes:
        version: The router's version; empty for several routers.
        models: The models' names.
        best_single: The best single model of the training; of several routers, the first one's.
        tau: The threshold of the gap; of several routers, the mean.
        conservative_policies: The policies under which no deviation from the best single model is
            significant, in one of the routers at least.
        estimates: The training's two estimates of the gain by policy, in words; of several routers, none.
    """

    version: str
    models: tuple[str, ...]
    best_single: str
    tau: float
    conservative_policies: tuple[str, ...]
    estimates: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON, in which the conservative policies are called `held`."""
        values = asdict(self)
        return {"held" if name == "conservative_policies" else name: values[name] for name in values}


@dataclass(frozen=True)
class Evaluation:
    """The result of an evaluation.

    Attributes:
        data: The rows that the router was evaluated on.
        router: The evaluated router.
        strategies: The result of each strategy: the router under each policy, and the baselines.
        trades: Those under rising quality floors and cost weights, by option; none without costs.
        by_category: The same for each category with enough prompts.
        curves: The cost-quality curves by name; empty where no cost is known.
        two_models: RouteLLM's metrics by name; empty unless there are two models.
        thresholds: The results of policy `cargo` at different thresholds tau.
        gaps: The gaps between the two highest predicted scores.
        score_calibration: The calibration of predicted scores.
        pairwise_calibration: The calibration of the pairwise classifier.
        confusion: The confusion matrix of categories; None without labelled categories.
        seed: The seed of the bootstrap and of the splits.
        best_constants: The comparisons with the best mix of fixed models at equal cost; empty without costs.
        knn: The comparison of each policy with kNN alone; empty where kNN was not evaluated.
        luck: How much of the oracle's headroom is luck; None without repeats.
        verdicts: By policy, one sentence on whether the router is worth having.
        budget: The dollars that policy `budget` may spend on a thousand prompts; None without it.
    """

    data: DataSummary
    router: RouterSummary
    strategies: tuple[StrategyResult, ...]
    by_category: Mapping[str, tuple[StrategyResult, ...]]
    curves: Mapping[str, CostQualityCurve]
    two_models: Mapping[str, Mapping[str, EstimateWithError]]
    thresholds: tuple[ThresholdPoint, ...]
    gaps: tuple[float, ...]
    score_calibration: Calibration
    pairwise_calibration: Calibration
    confusion: Confusion | None
    seed: int
    best_constants: tuple[BestConstant, ...] = ()
    knn: tuple[KnnComparison, ...] = ()
    luck: Luck | None = None
    verdicts: Mapping[str, str] = field(default_factory=dict)
    trades: tuple[StrategyResult, ...] = ()
    budget: float | None = None

    def __getitem__(self, name: str) -> StrategyResult:
        return next(result for result in self.strategies if result.name == name)

    def findings(self) -> list[str]:
        """Return sentences: policies behind kNN or a constant, a budget not kept, luck of the oracle."""
        notes = [one.note() for one in self.knn] + [one.note() for one in self.best_constants]
        if self.budget is not None:
            notes.append(self._budget_note(self.budget))
        if self.luck is not None:
            notes.append(self.luck.note())
        return [note for note in notes if note]

    def _budget_note(self, budget: float) -> str | None:
        """Return a sentence if policy `budget` spends more than it may."""
        spent, least = self["router: budget"].cost.value, self["cheapest"].cost.value
        if not spent > budget:
            return None
        why = "answers cost more than expected"
        if least > budget:
            why = f"even {self['cheapest'].most_taken} alone costs ${least:.4g}"
        return f"The budget of ${budget:.4g} per 1,000 prompts is exceeded by {spent / budget - 1:.1%}: {why}"

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON, as docs/formats.md describes; None where a value is unknown."""
        return {
            "format": FORMAT,
            "held_out": not self.data.flagged,
            "notes": self.data.notes(),
            "verdicts": dict(self.verdicts),
            "data": asdict(self.data),
            "router": self.router.to_dict(),
            "ways": _strategies(self.strategies),
            "trades": _strategies(self.trades),
            "best_constants": {one.policy: one.to_dict() for one in self.best_constants},
            "knn": {one.policy: one.to_dict() for one in self.knn},
            "luck": self.luck.to_dict() if self.luck else None,
            "curves": _plain(self.curves),
            "two_models": _plain(self.two_models),
            "tau": [point.to_dict() for point in self.thresholds],
            "gap": _histogram(self.gaps),
            "calibration": {
                "scores": self.score_calibration.to_dict(),
                "classifier": self.pairwise_calibration.to_dict(),
            },
            "categories": {name: _strategies(results) for name, results in self.by_category.items()},
            "confusion": self._confusion(),
            "bootstrap": {"replicates": REPLICATES, "seed": self.seed},
        }

    def _confusion(self) -> dict[str, Any] | None:
        if self.confusion is None:
            return None
        return {"accuracy": finite_or_none(self.confusion.accuracy), **asdict(self.confusion)}


def _strategies(results: tuple[StrategyResult, ...]) -> dict[str, Any]:
    return {
        result.name: {key: value for key, value in _plain(result).items() if key != "name"}
        for result in results
    }


def _histogram(gaps: tuple[float, ...]) -> dict[str, list[float]]:
    if not gaps:
        return {"edges": [], "counts": []}
    counts, edges = np.histogram(gaps, bins=30)
    return {"edges": edges.tolist(), "counts": counts.tolist()}


def _plain(value: Any) -> Any:
    """Return a dataclass, mapping or sequence as dictionaries and lists; NaN becomes None."""
    if isinstance(value, float):
        return finite_or_none(value)
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    if hasattr(value, "__dataclass_fields__"):
        return {name: _plain(getattr(value, name)) for name in value.__dataclass_fields__}
    return value
