"""The user's preferences for the choice: a policy and its parameters. See `router_core.policy.choice`.

This module does not import numpy, so that settings and commands, which name policies, start quickly.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, get_args

Policy = Literal["quality", "saving", "weighted", "budget", "cargo"]
#: Whether the choice guards against prompts that are unlike the labelled ones.
Shift = Literal["guard", "none"]
POLICIES: tuple[Policy, ...] = get_args(Policy)


@dataclass(frozen=True, kw_only=True)
class RoutingPreferences:
    """A policy and its parameters.

    Attributes:
        policy: The name of the policy.
        quality_floor: For `saving`: how far below the predicted score of the best single model a cheaper
            model may be, in units of the score.
        cost_weight: For `weighted`: the quality, as a share of the range of the scores, that is given up to
            save the whole cost of the best single model on a prompt.
        budget: For `budget`: the dollars to spend on a thousand prompts.

    Raises:
        ValueError: The policy is unknown, or is `budget` without a budget.
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
        """Whether quality is to be given up for lower cost, even where no deviation is significant."""
        weighted = self.policy == "weighted" and self.cost_weight > 0
        lower_quality = self.policy == "saving" and self.quality_floor > 0
        return weighted or lower_quality or self.policy == "budget"


#: the policy that uses each number of the user
POLICY_OF: Mapping[str, Policy] = MappingProxyType(
    {"quality_floor": "saving", "cost_weight": "weighted", "budget_per_1000": "budget"}
)


def implied_policy(
    policy: Policy | None, *, cost_weight: float | None, budget: float | None
) -> Policy | None:
    """Return the given policy or, if none is given, the one that uses the given parameter."""
    if policy is None and budget is not None:
        return "budget"
    if policy is None and cost_weight is not None:
        return "weighted"
    return policy
