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
class Settings:
    """What training chose on inner folds.

    `weights` [parts] blend the predictors. `tau` is the gap under which the classifier decides, 0 for never.
    `margins` say, by policy, by what share of the scores' range another model must beat the best single
    model's prediction to be chosen; None means that the guard holds, and no prediction counts. `unit` is the
    scores' range, `cost_weight` the default of the policy `weighted`.
    """

    weights: tuple[float, ...]
    tau: float
    margins: Mapping[str, float | None]
    unit: float
    cost_weight: float

    @classmethod
    def held(cls, unit: float) -> Settings:
        """Return the settings under which no prediction counts but in the paper's own policy."""
        margins: dict[str, float | None] = dict.fromkeys(POLICIES)
        margins["cargo"] = 0.0
        return cls((0.0,) * len(PARTS), 0.0, margins, unit, 0.0)

    @classmethod
    def trusting(cls, weights: NDArray[np.float64], unit: float) -> Settings:
        """Return the settings under which every prediction counts in full."""
        return cls(tuple(weights.tolist()), 0.0, dict.fromkeys(POLICIES, 0.0), unit, 0.0)

    @classmethod
    def from_manifest(cls, entry: Mapping[str, Any]) -> Settings:
        """Rebuild from the manifest's entry; raises KeyError or TypeError if it is not whole."""
        return cls(**{**entry, "weights": tuple(entry["weights"])})
