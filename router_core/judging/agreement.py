"""Figures about judges: shares with their standard errors, and agreement beyond chance."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

#: standard errors by which a figure must pass a threshold before it is called a finding
SURE = 3.0


@dataclass(frozen=True, slots=True)
class Share:
    """`hits` of `of`. Bounds and error are Agresti and Coull's (1998), so that 0 of 3 is not certain."""

    hits: float
    of: int

    @property
    def value(self) -> float | None:
        """The share, None of nothing."""
        return self.hits / self.of if self.of else None

    @property
    def error(self) -> float:
        """Its standard error."""
        return math.sqrt(self._centre * (1 - self._centre) / (self.of + SURE**2))

    def above(self, threshold: float) -> bool:
        """Whether it is surely above the threshold."""
        return self._centre - SURE * self.error > threshold

    def below(self, threshold: float) -> bool:
        """Whether it is surely below the threshold."""
        return self._centre + SURE * self.error < threshold

    @property
    def _centre(self) -> float:
        return (self.hits + SURE**2 / 2) / (self.of + SURE**2)

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {"share": rounded(self.value), "error": rounded(self.error), "of": self.of}


@dataclass(frozen=True, slots=True)
class Favour:
    """What one side got on `of` pairs, and what was due to it; `error` is the difference's standard error.

    All are None where there was nothing to count, `due` and `error` also where nobody knows what was due.
    """

    got: float | None
    due: float | None
    error: float | None
    of: int

    @classmethod
    def of_results(cls, got: Sequence[float], due: Sequence[float] | None) -> Favour:
        """From what the side got on each pair, and what was due there."""
        if not got or due is None:
            return cls(float(np.mean(got)) if got else None, None, None, len(got))
        excess = np.array(got) - np.array(due)
        # Two pairs at the worst: three lucky ones are no certainty.
        error = math.sqrt((float(((excess - excess.mean()) ** 2).sum()) + 2.0) / (len(got) * (len(got) + 2)))
        return cls(float(np.mean(got)), float(np.mean(due)), error, len(got))

    def beyond(self, threshold: float) -> bool:
        """Whether it surely got more than was due, by more than the threshold."""
        if self.got is None or self.due is None or self.error is None:
            return False
        return self.got - self.due - SURE * self.error > threshold

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        figures = {"share": rounded(self.got), "due": rounded(self.due), "error": rounded(self.error)}
        return {**figures, "of": self.of}

    def __str__(self) -> str:
        if self.got is None or self.due is None or self.error is None:
            return "-"
        return f"{self.got:.0%} where {self.due:.0%} was due (±{self.error:.0%} of {self.of})"


def rounded(value: float | None) -> float | None:
    """For JSON."""
    return None if value is None else round(value, 4)


def share_of(flags: Iterable[bool]) -> Share:
    """The share of the flags that are up."""
    found = list(flags)
    return Share(sum(found), len(found))


def kappa(one: Sequence[float], other: Sequence[float]) -> float | None:
    """Cohen's kappa of two judges' values (0, 0.5, 1) on the same pairs; None where it is not defined."""
    if not one:
        return None
    mine, theirs = np.array(one), np.array(other)
    chance = sum(float((mine == v).mean() * (theirs == v).mean()) for v in (0.0, 0.5, 1.0))
    return None if chance == 1.0 else (float((mine == theirs).mean()) - chance) / (1.0 - chance)


def alpha(values: Sequence[Sequence[float]]) -> float | None:
    """Krippendorff's alpha, ordinal, of values [judges, pairs] with NaN where a judge is missing.

    None where it is not defined: fewer than two judges on any pair, or everybody always says the same.
    """
    import krippendorff

    table = np.array(values, dtype=np.float64)
    if table.ndim < 2:
        return None
    shared = table[:, np.isfinite(table).sum(axis=0) > 1]
    if len(np.unique(shared[np.isfinite(shared)])) < 2:
        return None
    return float(krippendorff.alpha(reliability_data=shared, level_of_measurement="ordinal"))
