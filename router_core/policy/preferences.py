"""What a user may wish of the choice: a policy by name, and its numbers. See `router_core.policy.choice`.

Without numpy: settings and commands name policies, and start without it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

Policy = Literal["quality", "saving", "weighted", "budget", "cargo"]
POLICIES: tuple[Policy, ...] = get_args(Policy)


@dataclass(frozen=True, kw_only=True)
class RoutingPreferences:
    """What the user wants.

    `quality_floor` is how far below the best single model's prediction, in units of the score, `saving` may
    go. `cost_weight` is what share of the scores' range `weighted` gives up to save the whole cost of the
    best single model on a prompt. `budget` is what `budget` may spend on a thousand prompts, in dollars.
    """

    policy: Policy = "saving"
    quality_floor: float = 0.0
    cost_weight: float = 0.0
    budget: float | None = None

    def __post_init__(self) -> None:
        if self.policy not in POLICIES:
            raise ValueError(f"unknown policy {self.policy!r}: one of {', '.join(POLICIES)}")
        if self.policy == "budget" and self.budget is None:
            raise ValueError("policy 'budget' needs a budget per thousand prompts")

    @property
    def trades_quality_for_cost(self) -> bool:
        """Whether quality is to be given up for money, which the guard must not refuse."""
        weighs = self.policy == "weighted" and self.cost_weight > 0
        lowers = self.policy == "saving" and self.quality_floor > 0
        return weighs or lowers or self.policy == "budget"


def implied_policy(
    policy: Policy | None, *, cost_weight: float | None, budget: float | None
) -> Policy | None:
    """Return the policy that was named or, where none was, the one that uses the number that was given."""
    if policy is None and budget is not None:
        return "budget"
    if policy is None and cost_weight is not None:
        return "weighted"
    return policy
