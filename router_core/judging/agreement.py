"""Figures about judges: shares with their standard errors, and agreement beyond chance."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

#: standard errors by which a figure must pass a threshold before it is called a finding
SIGNIFICANCE_SIGMAS = 3.0


@dataclass(frozen=True, slots=True)
class Proportion:
    """`hits` of `of`. Bounds and error are Agresti and Coull's (1998), so that 0 of 3 is not certain."""

    count: float
    total: int

    @property
    def value(self) -> float | None:
        """The share, None of nothing."""
        return self.count / self.total if self.total else None

    @property
    def standard_error(self) -> float:
        """Its standard error."""
        return math.sqrt(self._centre * (1 - self._centre) / (self.total + SIGNIFICANCE_SIGMAS**2))

    def significantly_above(self, threshold: float) -> bool:
        """Return whether it is surely above the threshold."""
        return self._centre - SIGNIFICANCE_SIGMAS * self.standard_error > threshold

    def significantly_below(self, threshold: float) -> bool:
        """Return whether it is surely below the threshold."""
        return self._centre + SIGNIFICANCE_SIGMAS * self.standard_error < threshold

    @property
    def _centre(self) -> float:
        return (self.count + SIGNIFICANCE_SIGMAS**2 / 2) / (self.total + SIGNIFICANCE_SIGMAS**2)

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "share": round_or_none(self.value),
            "error": round_or_none(self.standard_error),
            "of": self.total,
        }


@dataclass(frozen=True, slots=True)
class PreferenceBias:
    """What one side got on `of` pairs, and what was due to it; `error` is the difference's standard error.

    All are None where there was nothing to count, `due` and `error` also where nobody knows what was due.
    """

    observed: float | None
    expected: float | None
    standard_error: float | None
    pairs: int

    @classmethod
    def of_results(cls, observed: Sequence[float], expected: Sequence[float] | None) -> PreferenceBias:
        """From what the side got on each pair, and what was due there."""
        if not observed or expected is None:
            return cls(float(np.mean(observed)) if observed else None, None, None, len(observed))
        excess = np.array(observed) - np.array(expected)
        # Two pairs at the worst: three lucky ones are no certainty.
        error = math.sqrt(
            (float(((excess - excess.mean()) ** 2).sum()) + 2.0) / (len(observed) * (len(observed) + 2))
        )
        return cls(float(np.mean(observed)), float(np.mean(expected)), error, len(observed))

    def significantly_above(self, threshold: float) -> bool:
        """Return whether it surely got more than was due, by more than the threshold."""
        if self.observed is None or self.expected is None or self.standard_error is None:
            return False
        return self.observed - self.expected - SIGNIFICANCE_SIGMAS * self.standard_error > threshold

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        figures = {
            "share": round_or_none(self.observed),
            "due": round_or_none(self.expected),
            "error": round_or_none(self.standard_error),
        }
        return {**figures, "of": self.pairs}

    def __str__(self) -> str:
        if self.observed is None or self.expected is None or self.standard_error is None:
            return "-"
        return f"{self.observed:.0%} where {self.expected:.0%} was due (±{self.standard_error:.0%} of {self.pairs})"


def round_or_none(value: float | None) -> float | None:
    """For JSON."""
    return None if value is None else round(value, 4)


def proportion_of(flags: Iterable[bool]) -> Proportion:
    """Return the share of the flags that are up."""
    found = list(flags)
    return Proportion(sum(found), len(found))


def cohen_kappa(one: Sequence[float], other: Sequence[float]) -> float | None:
    """Cohen's kappa of two judges' values (0, 0.5, 1) on the same pairs; None where it is not defined."""
    if not one:
        return None
    mine, theirs = np.array(one), np.array(other)
    chance = sum(float((mine == v).mean() * (theirs == v).mean()) for v in (0.0, 0.5, 1.0))
    return None if chance == 1.0 else (float((mine == theirs).mean()) - chance) / (1.0 - chance)


def krippendorff_alpha(values: Sequence[Sequence[float]]) -> float | None:
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
