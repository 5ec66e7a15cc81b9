"""The sections of the settings file, each a table of it."""

from __future__ import annotations

from pathlib import Path
from typing import Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    model_validator,
)

from router_core.embedding.precision import Precision
from router_core.policy.preferences import Policy, implied_policy
from tasks.errors import UsageError


class Section(BaseModel):
    """A table of the settings file: unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)


STATIC = "static"


class StoreSettings(Section):
    """The store of record."""

    url: str | None = None


class RedisSettings(Section):
    """The broker; without a URL `waybill up` starts an embedded server."""

    url: str | None = None


class RouterSettings(Section):
    """The router artefact, and what is used until there is one."""

    path: Path | None = None
    default_model: str | None = None
    #: saving, quality, weighted, budget or cargo: see docs/method.md
    policy: Policy = "saving"
    #: the gap below which the pairwise classifier decides; unset, the one that training chose
    tau: float | None = Field(default=None, ge=0)
    #: how far below the best single model's prediction a cheaper model may be
    quality_floor: float = Field(default=0.0, ge=0)
    #: what share of the scores' range saving the best single model's cost is worth; unset, the trained one
    cost_weight: float | None = Field(default=None, ge=0)
    #: what `budget` may spend on a thousand prompts, in dollars
    budget_per_1000: float | None = Field(default=None, ge=0)

    @model_validator(mode="after")
    def _budget_is_named(self) -> Self:
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
        """These settings with what was given in its place; a weight or a budget alone names its policy.

        Raises:
            UsageError: The policy `budget` was asked for without a budget.
        """
        named = implied_policy(policy, cost_weight=cost_weight, budget=budget_per_1000) or self.policy
        given = {
            "tau": tau,
            "quality_floor": quality_floor,
            "cost_weight": cost_weight,
            "budget_per_1000": budget_per_1000,
        }
        changes = {name: value for name, value in given.items() if value is not None}
        if named == "budget" and changes.get("budget_per_1000", self.budget_per_1000) is None:
            raise UsageError("the policy 'budget' needs a budget per thousand prompts")
        return self.model_copy(update={**changes, "policy": named})


class EmbedderSettings(Section):
    """What embeds prompts; workers take the model that their router was trained with."""

    #: for training: a sentence-transformers model, or `static`: one distilled from all-MiniLM-L6-v2
    model: str = STATIC
    #: of a transformer's matrix products; unset, the one that this machine is faster at
    precision: Precision | None = None
    max_cached_vectors: int = Field(default=1_000_000, gt=0)


class DispatchSettings(Section):
    """How calls are made and repeated."""

    in_flight: int = Field(default=256, gt=0)
    group_size: int = Field(default=32, gt=0)
    attempts_per_model: int = Field(default=3, gt=0)
    #: for the last model that a request may use, as long as its calls fail unbilled
    attempts_last_model: int = Field(default=10, gt=0)
    max_models: int = Field(default=2, gt=0)
    backoff_s: float = Field(default=1.0, gt=0)
    backoff_cap_s: float = Field(default=60.0, gt=0)
    drain_s: float = Field(default=60.0, gt=0)
    #: a model whose key, credit or permission fails rests this long, and this often for each request
    pause_s: float = Field(default=30.0, gt=0)
    pauses: int = Field(default=20, gt=0)


class BreakerSettings(Section):
    """When a model's circuit opens, for all workers."""

    window_s: float = Field(default=30.0, gt=0)
    min_calls: int = Field(default=20, gt=0)
    failure_rate: float = Field(default=0.5, gt=0, le=1)
    #: doubled by each failed probe, up to the cap
    open_s: float = Field(default=15.0, gt=0)
    open_cap_s: float = Field(default=240.0, gt=0)
    #: requests that no other model may answer wait this long for it
    give_up_s: float = Field(default=86_400.0, gt=0)


class JudgeSettings(Section):
    """Who judges answers, and what a judge is shown."""

    #: one to five of [[models]]
    models: tuple[str, ...] = Field(default=(), max_length=5)
    #: where the question and each answer are cut, in characters
    max_question_chars: int = Field(default=16_000, gt=0)
    max_answer_chars: int = Field(default=8_000, gt=0)
    #: of a judge's reply
    max_tokens: int = Field(default=512, gt=0)
    #: how often a reply that cannot be used is asked for again
    repeats: int = Field(default=1, ge=0)


class UpkeepSettings(Section):
    """The relay and the sweeper."""

    lease_s: float = Field(default=60.0, gt=0)
    relay_s: float = Field(default=0.1, gt=0)
    sweep_s: float = Field(default=1.0, gt=0)
    republish_s: float = Field(default=30.0, gt=0)


class FlowerSettings(Section):
    """Flower listens on loopback and asks for a password unless told otherwise."""

    address: str = "127.0.0.1"
    port: int = 5555
    #: the environment variable that holds `user:password`
    auth_env: str = "WAYBILL_FLOWER_AUTH"
