"""Drift: three statistics of how far new prompts differ from a router's training prompts."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class DriftStatistic:
    """A drift statistic and its limit.

    The limit is the larger one of two values: the least drift worth acting on, and the critical value that
    chance exceeds once in a thousand.
    """

    value: float
    limit: float

    @property
    def high(self) -> bool:
        """Whether the value is above the limit."""
        return self.value > self.limit


@dataclass(frozen=True, slots=True)
class Drift:
    """The drift of some prompts from the training prompts.

    Attributes:
        prompts: The number of prompts.
        sampled: The number of prompts whose embeddings were compared.
        categories: The population stability index of the detected categories.
        embeddings: The maximum mean discrepancy of the embeddings, as a share: 0 for equal distributions, 1
            for distributions with nothing in common.
        uncovered: The share of prompts that are far from every labelled prompt.
    """

    prompts: int
    sampled: int
    categories: DriftStatistic
    embeddings: DriftStatistic
    uncovered: DriftStatistic

    @property
    def high(self) -> tuple[str, ...]:
        """The names of the statistics that are above their limits."""
        names = ("categories", "embeddings", "uncovered")
        return tuple(name for name in names if getattr(self, name).high)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """Rebuild the drift from the values that `to_dict` returned."""
        statistics = {
            name: DriftStatistic(**value) for name, value in values.items() if isinstance(value, dict)
        }
        return cls(**{**values, **statistics})
