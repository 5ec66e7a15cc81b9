"""The policies that are evaluated, and the trades of quality for cost that a user may choose among."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from router_core.policy.preferences import Policy, RoutingPreferences

#: The policies that are always evaluated: those without a parameter that the user must set.
EVALUATED_POLICIES: Final[tuple[Policy, ...]] = ("quality", "saving", "weighted", "cargo")
#: The quality floors of the trades, as shares of the range of the scores.
_FLOORS: Final = (0.0, 0.005, 0.01, 0.02, 0.05, 0.1)
_WEIGHTS: Final = (0.01, 0.03, 0.1, 0.3, 1.0)


@dataclass(frozen=True, kw_only=True)
class PolicyNumbers:
    """The parameters that a user chooses; see `RoutingPreferences`.

    Attributes:
        quality_floor: That of policy `saving`.
        cost_weight: That of policy `weighted`; None for the one that training chose.
        budget: The dollars that policy `budget` may spend on a thousand prompts; None leaves the policy out.
    """

    quality_floor: float = 0.0
    cost_weight: float | None = None
    budget: float | None = None

    def preferences(self, *, trained_weight: float) -> dict[Policy, RoutingPreferences]:
        """Return the preferences of each evaluated policy."""
        policies = EVALUATED_POLICIES if self.budget is None else (*EVALUATED_POLICIES, "budget")
        weight = trained_weight if self.cost_weight is None else self.cost_weight
        return {
            policy: RoutingPreferences(
                policy=policy, quality_floor=self.quality_floor, cost_weight=weight, budget=self.budget
            )
            for policy in policies
        }


def trades(score_range: float) -> dict[str, RoutingPreferences]:
    """Return preferences that give up more and more quality for cost, by the option that asks for them.

    Args:
        score_range: The range of the scores, highest less lowest; floors are in units of the score.
    """
    floors = {share * score_range: RoutingPreferences(quality_floor=share * score_range) for share in _FLOORS}
    weights = {weight: RoutingPreferences(policy="weighted", cost_weight=weight) for weight in _WEIGHTS}
    return {f"--quality-floor {floor:.3g}": one for floor, one in floors.items()} | {
        f"--cost-weight {weight:.3g}": one for weight, one in weights.items()
    }
