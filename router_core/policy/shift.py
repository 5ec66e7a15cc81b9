"""The settings of a choice under `[router] shift`: margin, threshold of novelty and default cost weight."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from router_core.hyperparameters import Hyperparameters, ShiftGuard
from router_core.policy.preferences import RoutingPreferences, Shift

Array = NDArray[np.float32]


def default_cost_weight(hyperparameters: Hyperparameters, shift: Shift) -> float:
    """Return the cost weight that training chose."""
    guard = hyperparameters.shift if shift == "guard" else None
    return hyperparameters.cost_weight if guard is None else guard.cost_weight


def margin_of(hyperparameters: Hyperparameters, policy: str, shift: Shift = "guard") -> float | None:
    """Return the margin of a policy, None if no deviation is significant."""
    guard = hyperparameters.shift if shift == "guard" else None
    return (hyperparameters if guard is None else guard).margins[policy]


@dataclass(frozen=True)
class ShiftSettings:
    """How n prompts are chosen for.

    Attributes:
        margin: The margin of the policy, None if no deviation is significant.
        familiarity: The share of the predicted residuals that is used, [n].
        unfamiliar: Which prompts take the best single model, [n].
    """

    margin: float | None
    familiarity: Array
    unfamiliar: NDArray[np.bool_]

    @classmethod
    def of(
        cls,
        hyperparameters: Hyperparameters,
        preferences: RoutingPreferences,
        novelty: NDArray[np.float64] | None,
        *,
        n: int,
        shift: Shift,
    ) -> ShiftSettings:
        """Return the settings for prompts of this novelty [n]; `shift = "none"` guards nothing.

        Where novelty is not measured (None), the guard's margins alone hold.
        """
        guard, policy = hyperparameters.shift, preferences.policy
        if guard is None or novelty is None or shift == "none":
            everywhere = np.ones(n, dtype=np.float32), np.zeros(n, dtype=np.bool_)
            return cls(margin_of(hyperparameters, policy, shift), *everywhere)
        familiarity = guard.familiarity(novelty, policy)
        unfamiliar = (novelty > guard.thresholds[policy]) & (not _asks_for_trade(preferences, guard))
        margin = guard.margins[policy]
        return cls(margin, familiarity, unfamiliar if margin is not None else np.zeros_like(unfamiliar))

    def shrink(self, predicted: Array, means: Array) -> Array:
        """Return predicted scores [n, m] drawn toward the models' means [m] on what is not familiar."""
        if (self.familiarity == 1).all():
            return predicted
        return np.asarray(means + self.familiarity[:, None] * (predicted - means))


def _asks_for_trade(preferences: RoutingPreferences, guard: ShiftGuard) -> bool:
    """Return whether the user asks to give up more quality than training found to be safe.

    Such a trade is made by the models' means on unfamiliar prompts.
    """
    if preferences.policy == "weighted":
        return preferences.cost_weight > guard.cost_weight
    return preferences.trades_quality_for_cost
