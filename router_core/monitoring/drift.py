"""Drift: three figures that say whether new prompts are still like those that a router was trained on."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class DriftStatistic:
    """A figure, and what it must pass to be high: what is worth acting on, and more than chance gives."""

    value: float
    limit: float

    @property
    def high(self) -> bool:
        """Whether it says that something has shifted."""
        return self.value > self.limit


@dataclass(frozen=True, slots=True)
class Drift:
    """How unlike the training prompts some prompts are, of which `sampled` were looked at."""

    prompts: int
    sampled: int
    categories: DriftStatistic
    embeddings: DriftStatistic
    uncovered: DriftStatistic

    @property
    def high(self) -> tuple[str, ...]:
        """The names of the figures that are high."""
        names = ("categories", "embeddings", "uncovered")
        return tuple(name for name in names if getattr(self, name).high)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """Rebuild from what `to_dict` returned."""
        figures = {name: DriftStatistic(**value) for name, value in values.items() if isinstance(value, dict)}
        return cls(**{**values, **figures})
