"""Settings: what training chose on inner folds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from router_core.policy.preferences import POLICIES
from router_core.predictors.ensemble import PARTS


@dataclass(frozen=True)
class Hyperparameters:
    """What training chose on inner folds.

    `weights` [parts] blend the predictors. `tau` is the gap under which the classifier decides, 0 for never.
    `margins` say, by policy, by what share of the scores' range another model must beat the best single
    model's prediction to be chosen; None means that the guard holds, and no prediction counts. `unit` is the
    scores' range, `cost_weight` the default of the policy `weighted`.
    """

    weights: tuple[float, ...]
    tau: float
    margins: Mapping[str, float | None]
    score_range: float
    cost_weight: float

    @classmethod
    def conservative(cls, score_range: float) -> Hyperparameters:
        """Return the settings under which no prediction counts but in the paper's own policy."""
        margins: dict[str, float | None] = dict.fromkeys(POLICIES)
        margins["cargo"] = 0.0
        return cls((0.0,) * len(PARTS), 0.0, margins, score_range, 0.0)

    @classmethod
    def trusting(cls, weights: NDArray[np.float64], score_range: float) -> Hyperparameters:
        """Return the settings under which every prediction counts in full."""
        return cls(tuple(weights.tolist()), 0.0, dict.fromkeys(POLICIES, 0.0), score_range, 0.0)

    def manifest(self) -> dict[str, Any]:
        """Return the manifest's entry, in which the range of the scores is called `unit`."""
        return {"unit" if name == "score_range" else name: value for name, value in vars(self).items()}

    @classmethod
    def from_manifest(cls, entry: Mapping[str, Any]) -> Hyperparameters:
        """Rebuild from the manifest's entry; raises KeyError or TypeError if it is not whole."""
        values = {"score_range" if name == "unit" else name: value for name, value in entry.items()}
        return cls(**{**values, "weights": tuple(entry["weights"])})
