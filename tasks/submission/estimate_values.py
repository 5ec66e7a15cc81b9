"""The values of a cost estimate: the routing of a batch, its cost, and how long answers probably are."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from router_core.monitoring.familiarity import Familiarity
from tasks.formats.requests import InputError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from router_core.predictors.answer_tokens import ExpectedAnswers
    from tasks.money.expected_costs import Lengths

#: what the mix of models is
MIX = "estimated mix: all requests as routed now; fallbacks or a new router change it"
#: the models that cannot answer each prompt
LeftOut = Sequence[Collection[str]]


@dataclass(frozen=True, slots=True)
class RoutedPrompts:
    """The models of n prompts, and what the router knows of the prompts; None where it does not tell.

    Attributes:
        models: The model of each prompt [n].
        familiarity: The prompts like and unlike the labels.
        names: The m models whose answers' lengths are expected.
        answers: The expected lengths of their answers.
        scores: The predicted scores [n, 2] of the model chosen and of the best single one, NaN if unknown.
    """

    models: Sequence[str]
    familiarity: Familiarity | None = None
    names: Sequence[str] = ()
    answers: ExpectedAnswers | None = None
    scores: npt.NDArray[np.float32] | None = None


class Route(Protocol):
    """Maps prompts to the models that would answer them, in the same order."""

    def __call__(
        self, prompts: Sequence[str], left_out: LeftOut = (), lengths: Lengths | None = None, /
    ) -> RoutedPrompts:
        """Return a model for each prompt, and none of those that are left out for it, if any are.

        `lengths` are those of the requests, which cost more than the prompts alone.
        """
        ...


@dataclass(frozen=True, slots=True)
class ModelEstimate:
    """The cost of the batch, in dollars, if this model answered every request that names no model.

    `cost_usd` is the expected cost, `worst_usd` the most that it can be. `answer_tokens` are mean lengths of
    an answer: the expected one, and those below and above which one in ten lies; None where no labels tell.
    Then `assumed_tokens`, the model's `expected_tokens`, are assumed, or a request's own limit below that.
    """

    model: str
    cost_usd: float
    worst_usd: float
    answer_tokens: tuple[float, float, float] | None = None
    assumed_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class Mix:
    """The routing of the batch by the router as it is now, and its cost in dollars.

    Attributes:
        models: Requests per model, without duplicates.
        cost_usd: The expected cost.
        worst_usd: The most that it can cost.
        familiarity: The prompts like and unlike the router's labels; None where it does not tell.
        score: The mean predicted score of the chosen models; None without predictions.
        best_single_score: That of the best single model for the same prompts.
    """

    models: dict[str, int]
    cost_usd: float
    worst_usd: float
    familiarity: Familiarity | None = None
    score: float | None = None
    best_single_score: float | None = None

    def __str__(self) -> str:
        models = "".join(f", {number:,} to {name}" for name, number in sorted(self.models.items()))
        return f"about ${self.cost_usd:,.4f}, at most ${self.worst_usd:,.4f}{models}"

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {**asdict(self), "familiarity": self.familiarity.to_dict() if self.familiarity else None}


@dataclass(frozen=True, slots=True)
class Estimate:
    """The contents and the cost of a batch file; a duplicate costs nothing.

    Attributes:
        invalid: The number of bad lines by error code.
        bad_lines: The first bad lines.
        random_duplicates: The duplicates that share an answer drawn at random (temperature above 0, no seed).
        input_tokens: The estimated input tokens of the requests that would be called.
        mix: The routing; None without a router.
        extra_calls: The expected number of additional calls that exploration makes; all costs include them.
        router: What routes, as people see it.
        policy: The policy that it follows, with its number; empty without a router.
        best_single: The model that the router's labels call the best for all prompts; None without labels.
        warnings: What the batch asks for and would not get, such as a routing budget that cannot be kept.
        dropped: Requests by parameter and by the model that does not take it, among those that may answer.
    """

    requests: int
    duplicates: int
    invalid: dict[str, int]
    input_tokens: int
    models: tuple[ModelEstimate, ...]
    mix: Mix | None
    extra_calls: int = 0
    dropped: dict[str, dict[str, int]] = field(default_factory=dict)
    random_duplicates: int = 0
    bad_lines: tuple[InputError, ...] = ()
    router: str = ""
    best_single: str | None = None
    warnings: tuple[str, ...] = ()
    policy: str = ""

    def __repr__(self) -> str:
        bad_lines = sum(self.invalid.values())
        counts = f"{self.requests:,} requests, {self.duplicates:,} duplicates, {bad_lines:,} bad lines"
        mix = f", {self.mix}" if self.mix else ""
        return f"Estimate({counts}{mix}; {self.router})"

    @property
    def cost_usd(self) -> float | None:
        """The expected cost of the batch as it would be routed; None where that is not known."""
        return self.mix.cost_usd if self.mix else None

    @property
    def worst_usd(self) -> float | None:
        """The most that the batch can cost as it would be routed; None where that is not known."""
        return self.mix.worst_usd if self.mix else None

    @property
    def best_single_usd(self) -> float | None:
        """The expected cost if the best single model answered all; None where labels name none."""
        return next((one.cost_usd for one in self.models if one.model == self.best_single), None)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {**asdict(self), "mix": self.mix.to_dict() if self.mix else None}
