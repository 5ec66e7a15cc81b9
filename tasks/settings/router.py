"""The section [router] of the settings file."""

from __future__ import annotations

from pathlib import Path
from typing import Self

from pydantic import Field, model_validator

from router_core.policy.preferences import POLICY_OF, Policy, Shift, implied_policy
from tasks.errors import UsageError
from tasks.settings.sections import Section


class RouterSettings(Section):
    """The router and its default preferences, and the model that is used until a router is trained."""

    path: Path | None = None
    default_model: str | None = None
    #: saving, quality, weighted, budget or cargo; see docs/method.md
    policy: Policy = "saving"
    #: the gap between the two best models below which the pairwise classifier decides; default: as trained
    tau: float | None = Field(default=None, ge=0)
    #: guard: prompts unlike the labelled ones take the best single model; none: they are routed as all are
    shift: Shift = "guard"
    #: how far a cheaper model's predicted score may be below that of the best single model
    quality_floor: float = Field(default=0.0, ge=0)
    #: the worth of saving the best single model's cost, as a share of the scores' range; default: as trained
    cost_weight: float | None = Field(default=None, ge=0)
    #: the cost limit of the policy `budget`, in dollars per thousand prompts
    budget_per_1000: float | None = Field(default=None, ge=0)

    @model_validator(mode="after")
    def _budget_policy_has_budget(self) -> Self:
        if self.policy == "budget" and self.budget_per_1000 is None:
            raise ValueError("policy = 'budget' needs budget_per_1000")
        return self

    def with_overrides(
        self,
        *,
        policy: Policy | None = None,
        tau: float | None = None,
        quality_floor: float | None = None,
        cost_weight: float | None = None,
        budget_per_1000: float | None = None,
    ) -> Self:
        """Return these settings with the given values in place of their own.

        Without a policy, a cost weight or a budget selects the policy that uses it.

        Raises:
            UsageError: The policy is `budget`, but there is no budget.
        """
        selected = implied_policy(policy, cost_weight=cost_weight, budget=budget_per_1000) or self.policy
        overrides = {
            "tau": tau,
            "quality_floor": quality_floor,
            "cost_weight": cost_weight,
            "budget_per_1000": budget_per_1000,
        }
        changes = {name: value for name, value in overrides.items() if value is not None}
        if selected == "budget" and changes.get("budget_per_1000", self.budget_per_1000) is None:
            raise UsageError(
                "the policy 'budget' needs budget_per_1000, dollars for a thousand prompts: of the batch, or"
                " under [router]"
            )
        return self.model_copy(update={**changes, "policy": selected})

    def chosen(self, *, policy: Policy | None = None, **numbers: float | None) -> Self:
        """Return what `with_overrides` does for choices by one policy.

        Raises:
            UsageError: The policy does not use one of the given numbers, or is `budget` without a budget.
        """
        settings = self.with_overrides(policy=policy, **numbers)
        for name, used_by in POLICY_OF.items():
            if numbers.get(name) is not None and used_by != settings.policy:
                raise UsageError(f"{name} is for the policy {used_by!r}: {settings.policy!r} does not use it")
        return settings
