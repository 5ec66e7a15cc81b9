"""The result of an evaluation: values only, ready for a table, JSON, plots and the report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from router_core.evaluation.cost_quality_curves import CostQualityCurve
from router_core.evaluation.metrics.bootstrap import REPLICATES, EstimateWithError, finite_or_none
from router_core.evaluation.metrics.calibration import Calibration, Confusion
from router_core.evaluation.metrics.threshold_sweep import ThresholdPoint
from router_core.evaluation.strategy_results import StrategyResult

FORMAT = 1


@dataclass(frozen=True)
class DataSummary:
    """What was evaluated on: rows read, left out and used.

    `learnt_from` rows are of prompts that the router was trained on: left out, unless `training_included`.
    `without_scores` rows were judged on none of the models. `missing_scores` and `missing_costs` are single
    values that rows in use lack; `unknown_scores` those of models that the router does not know.
    """

    rows: int
    used: int
    learnt_from: int
    training_included: bool
    without_scores: int
    missing_scores: int
    missing_costs: int
    unknown_scores: int

    @property
    def flagged(self) -> bool:
        """Whether the figures are worthless as a forecast, for prompts were learnt from."""
        return self.training_included and self.learnt_from > 0

    def notes(self) -> list[str]:
        """Return what readers of the figures must know, a sentence each; the warning first."""
        whole = f"{self.learnt_from:,} of {self.rows:,} rows"
        notes = []
        if self.flagged:
            notes.append(f"NOT HELD OUT: the router has learnt from the prompts of {whole}")
        elif self.learnt_from:
            notes.append(f"{whole} left out: the router has learnt from their prompts")
        if self.without_scores:
            notes.append(f"{self.without_scores:,} rows left out: no score of a model of the router")
        if self.unknown_scores:
            notes.append(
                f"{self.unknown_scores:,} scores of models that the router does not know passed over"
            )
        if self.missing_scores or self.missing_costs:
            missing = f"{self.missing_scores:,} scores and {self.missing_costs:,} costs missing"
            notes.append(f"{missing}: a prompt counts for a line where the chosen model has them")
        return notes


@dataclass(frozen=True)
class RouterSummary:
    """The router that was evaluated; several, of cross-validation, have no version and the mean tau."""

    version: str
    models: tuple[str, ...]
    best_single: str
    tau: float
    conservative_policies: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON, in which the conservative policies are called `held`."""
        values = asdict(self)
        return {"held" if name == "conservative_policies" else name: values[name] for name in values}


@dataclass(frozen=True)
class Evaluation:
    """Lines by way of choosing, curves, the figures against tau, and how predictions agree with outcomes."""

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

    def __getitem__(self, name: str) -> StrategyResult:
        return next(line for line in self.strategies if line.name == name)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON, as docs/formats.md says; None stands for what is unknown."""
        return {
            "format": FORMAT,
            "held_out": not self.data.flagged,
            "notes": self.data.notes(),
            "data": asdict(self.data),
            "router": self.router.to_dict(),
            "ways": _strategies(self.strategies),
            "curves": {name: _plain(curve) for name, curve in self.curves.items()},
            "two_models": _plain(self.two_models),
            "tau": [point.to_dict() for point in self.thresholds],
            "gap": _histogram(self.gaps),
            "calibration": {
                "scores": self.score_calibration.to_dict(),
                "classifier": self.pairwise_calibration.to_dict(),
            },
            "categories": {name: _strategies(lines) for name, lines in self.by_category.items()},
            "confusion": self._confusion(),
            "bootstrap": {"replicates": REPLICATES, "seed": self.seed},
        }

    def _confusion(self) -> dict[str, Any] | None:
        table = self.confusion
        return None if table is None else {"accuracy": finite_or_none(table.accuracy), **asdict(table)}


def _strategies(lines: tuple[StrategyResult, ...]) -> dict[str, Any]:
    plain = {line.name: _plain(line) for line in lines}
    return {
        name: {key: value for key, value in line.items() if key != "name"} for name, line in plain.items()
    }


def _histogram(gaps: tuple[float, ...]) -> dict[str, list[float]]:
    if not gaps:
        return {"edges": [], "counts": []}
    counts, edges = np.histogram(gaps, bins=30)
    return {"edges": edges.tolist(), "counts": counts.tolist()}


def _plain(value: Any) -> Any:
    """Return frozen values as dictionaries, lists and finite numbers."""
    if isinstance(value, float):
        return finite_or_none(value)
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    if hasattr(value, "__dataclass_fields__"):
        return {name: _plain(getattr(value, name)) for name in value.__dataclass_fields__}
    return value
