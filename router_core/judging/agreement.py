"""Statistics of judges: proportions and preference biases with standard errors, kappa and alpha."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

#: A threshold counts as passed only if it is this many standard errors away.
SIGNIFICANCE_SIGMAS = 3.0


@dataclass(frozen=True, slots=True)
class Proportion:
    """A binomial proportion: `count` successes in `total` trials.

    Significance and standard error are those of the adjusted interval of Agresti and Coull (1998) with
    z = `SIGNIFICANCE_SIGMAS`: z² trials, half of them successes, are added first. So 0 of 3 is not taken
    for a certain 0.
    """

    count: float
    total: int

    @property
    def value(self) -> float | None:
        """The plain proportion, `count / total`; None without any trial."""
        return self.count / self.total if self.total else None

    @property
    def standard_error(self) -> float:
        """The standard error of the adjusted proportion."""
        return math.sqrt(self._adjusted * (1 - self._adjusted) / (self.total + SIGNIFICANCE_SIGMAS**2))

    def significantly_above(self, threshold: float) -> bool:
        """Return whether the adjusted proportion is above the threshold by `SIGNIFICANCE_SIGMAS` errors."""
        return self._adjusted - SIGNIFICANCE_SIGMAS * self.standard_error > threshold

    def significantly_below(self, threshold: float) -> bool:
        """Return whether the adjusted proportion is below the threshold by `SIGNIFICANCE_SIGMAS` errors."""
        return self._adjusted + SIGNIFICANCE_SIGMAS * self.standard_error < threshold

    @property
    def _adjusted(self) -> float:
        return (self.count + SIGNIFICANCE_SIGMAS**2 / 2) / (self.total + SIGNIFICANCE_SIGMAS**2)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "share": round_or_none(self.value),
            "error": round_or_none(self.standard_error),
            "of": self.total,
        }


@dataclass(frozen=True, slots=True)
class PreferenceBias:
    """How far a judge favours one side of pairs, for example the longer answer.

    Attributes:
        observed: The mean score that the judge gives the side, 0 to 1; None without any pair.
        expected: The mean score of the side by all judges together; None where it is not known.
        standard_error: The standard error of `observed - expected`; None where `expected` is.
        pairs: The number of pairs.
    """

    observed: float | None
    expected: float | None
    standard_error: float | None
    pairs: int

    @classmethod
    def of_results(cls, observed: Sequence[float], expected: Sequence[float] | None) -> PreferenceBias:
        """Compute the bias from the observed and the expected score of the side on each pair, both [n]."""
        if not observed or expected is None:
            return cls(float(np.mean(observed)) if observed else None, None, None, len(observed))
        excess = np.array(observed) - np.array(expected)
        # As if two more pairs had deviated from the mean by 1, the most that is possible: three pairs that
        # agree by luck do not give an error of 0.
        error = math.sqrt(
            (float(((excess - excess.mean()) ** 2).sum()) + 2.0) / (len(observed) * (len(observed) + 2))
        )
        return cls(float(np.mean(observed)), float(np.mean(expected)), error, len(observed))

    def significantly_above(self, threshold: float) -> bool:
        """Return whether `observed - expected` exceeds the threshold by `SIGNIFICANCE_SIGMAS` errors."""
        if self.observed is None or self.expected is None or self.standard_error is None:
            return False
        return self.observed - self.expected - SIGNIFICANCE_SIGMAS * self.standard_error > threshold

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "share": round_or_none(self.observed),
            "due": round_or_none(self.expected),
            "error": round_or_none(self.standard_error),
            "of": self.pairs,
        }

    def __str__(self) -> str:
        if self.observed is None or self.expected is None or self.standard_error is None:
            return "-"
        return (
            f"{self.observed:.0%} where {self.expected:.0%} was due"
            f" (±{self.standard_error:.0%} of {self.pairs})"
        )


def round_or_none(value: float | None) -> float | None:
    """Return the value rounded to four digits for JSON; None stays None."""
    return None if value is None else round(value, 4)


def proportion_of(flags: Iterable[bool]) -> Proportion:
    """Return the proportion of the flags that are true."""
    known = list(flags)
    return Proportion(sum(known), len(known))


def cohen_kappa(first: Sequence[float], second: Sequence[float]) -> float | None:
    """Return Cohen's kappa, the agreement beyond chance of two judges' scores of the same pairs.

    Args:
        first: One judge's scores [n], each 0, 0.5 or 1.
        second: The other judge's scores [n] of the same pairs.

    Returns:
        1 for full agreement, 0 for that of chance. None where it is not defined: without any pair, or where
        both judges give the same score everywhere.
    """
    if not first:
        return None
    a, b = np.array(first), np.array(second)
    chance = sum(float((a == score).mean() * (b == score).mean()) for score in (0.0, 0.5, 1.0))
    return None if chance == 1.0 else (float((a == b).mean()) - chance) / (1.0 - chance)


def krippendorff_alpha(scores: Sequence[Sequence[float]]) -> float | None:
    """Return Krippendorff's alpha, ordinal, the agreement of any number of judges beyond chance.

    Args:
        scores: Scores [judges, pairs], NaN where a judge has not scored the pair.

    Returns:
        1 for full agreement, 0 for that of chance. None where it is not defined: no pair has two judges, or
        all scores are the same.
    """
    import krippendorff

    table = np.array(scores, dtype=np.float64)
    if table.ndim < 2:
        return None
    shared = table[:, np.isfinite(table).sum(axis=0) > 1]
    if len(np.unique(shared[np.isfinite(shared)])) < 2:
        return None
    return float(krippendorff.alpha(reliability_data=shared, level_of_measurement="ordinal"))
