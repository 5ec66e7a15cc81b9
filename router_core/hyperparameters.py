"""The hyperparameters of a router, which training chooses on inner folds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from router_core.policy.preferences import POLICIES
from router_core.predictors.ensemble import PARTS


@dataclass(frozen=True)
class ShiftGuard:
    """The values that training chose so that they hold on kinds of prompts that were left out as well.

    Attributes:
        margins: As those of `Hyperparameters`.
        thresholds: By policy, the novelty beyond which a prompt is unfamiliar.
        cost_weight: As that of `Hyperparameters`.
    """

    margins: Mapping[str, float | None]
    thresholds: Mapping[str, float]
    cost_weight: float

    def familiarity(self, novelty: NDArray[np.float64], policy: str) -> NDArray[np.float32]:
        """Return the share of the predicted residuals that is used, [n]: 0 on unfamiliar prompts."""
        used = 1.0 if policy == "cargo" else 1.0 - novelty
        return np.where(novelty > self.thresholds[policy], 0.0, used).astype(np.float32)


@dataclass(frozen=True)
class Hyperparameters:
    """The values that training chose on inner folds.

    Attributes:
        weights: The weights of the parts of the ensemble in the blend, one for each of PARTS.
        tau: The gap under which the pairwise classifier decides; 0 for never.
        margins: By policy, how much higher than that of the best single model another model's predicted score
            must be, as a share of `score_range`; None if no deviation is significant.
        score_range: The range of the scores in training, highest less lowest.
        cost_weight: The default `RoutingPreferences.cost_weight` of the policy `weighted`.
        shift: The values under `shift = "guard"`; None in routers that do not measure novelty.
    """

    weights: tuple[float, ...]
    tau: float
    margins: Mapping[str, float | None]
    score_range: float
    cost_weight: float
    shift: ShiftGuard | None = None

    @classmethod
    def conservative(cls, score_range: float) -> Hyperparameters:
        """Return the values with which the prior alone decides, as no weight is above 0."""
        margins: dict[str, float | None] = dict.fromkeys(POLICIES)
        margins["cargo"] = 0.0
        return cls((0.0,) * len(PARTS), 0.0, margins, score_range, 0.0)

    @classmethod
    def without_margins(cls, weights: NDArray[np.float64], score_range: float) -> Hyperparameters:
        """Return the values with which predictions are used without any margin."""
        return cls(tuple(weights.tolist()), 0.0, dict.fromkeys(POLICIES, 0.0), score_range, 0.0)

    def manifest(self) -> dict[str, Any]:
        """Return the manifest's entry, in which `score_range` is called `unit`."""
        values = {"unit" if name == "score_range" else name: value for name, value in vars(self).items()}
        del values["shift"]  # routers that were saved before it was recorded have no such entry
        return values if self.shift is None else {**values, "shift": dict(vars(self.shift))}

    @classmethod
    def from_manifest(cls, entry: Mapping[str, Any]) -> Hyperparameters:
        """Rebuild from the manifest's entry; raises KeyError or TypeError if it is incomplete."""
        values = {"score_range" if name == "unit" else name: value for name, value in entry.items()}
        shift = ShiftGuard(**entry["shift"]) if "shift" in entry else None
        return cls(**{**values, "weights": tuple(entry["weights"]), "shift": shift})
