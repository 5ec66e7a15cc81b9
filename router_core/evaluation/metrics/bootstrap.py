"""Paired bootstrap over prompts: estimates from means, with standard errors.

All values are resampled with the same prompts, so that the standard error of a difference or a ratio is that
of the paired comparison. Rows of the same prompt are drawn together (cluster bootstrap).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]

REPLICATES = 1000
#: The number of replicates drawn at once, which bounds the memory for the counts.
_BLOCK = 100
#: A denominator up to this value is a rounding error of 0.
_MIN_DENOMINATOR = 1e-12


@dataclass(frozen=True)
class EstimateWithError:
    """An estimate and its standard error; NaN where there are no values for it."""

    value: float
    error: float

    def to_dict(self) -> dict[str, float | None]:
        """Return plain values for JSON; NaN becomes None."""
        return {"value": finite_or_none(self.value), "error": finite_or_none(self.error)}


@dataclass
class Bootstrap:
    """Columns of values by row that are resampled together.

    All columns must be added before the first estimate, which draws the replicates.

    Attributes:
        prompt_index: The prompt of each row [n]; rows of the same prompt are drawn together.
        seed: The seed of the draws.
        replicates: The number of replicates.
    """

    prompt_index: Rows
    seed: int = 0
    replicates: int = REPLICATES
    _columns: list[Floats] = field(default_factory=list)
    _means: Floats | None = None

    def add(self, values: Floats) -> int:
        """Add a column of values [n], NaN where unknown, and return its index."""
        self._columns.append(values)
        return len(self._columns) - 1

    def mean(self, column: int) -> EstimateWithError:
        """Return the mean of a column over its known values."""
        return self.estimate(lambda means: means[:, column])

    def ratio(self, numerator: int, denominator: int) -> EstimateWithError:
        """Return the ratio of two columns' means; NaN unless the denominator is above 0."""
        return self.estimate(lambda means: _ratio(means[:, numerator], means[:, denominator]))

    def estimate(self, statistic: Callable[[Floats], Floats]) -> EstimateWithError:
        """Return the value of a statistic on the sample, with its standard deviation over the replicates.

        Args:
            statistic: A function from the columns' means [1 + replicates, columns] to values
                [1 + replicates]. The first row is the sample itself.
        """
        values = statistic(self._all_means())
        replicated = values[1:][np.isfinite(values[1:])]
        error = float(replicated.std(ddof=1)) if len(replicated) > 1 else float("nan")
        return EstimateWithError(float(values[0]), error if np.isfinite(values[0]) else float("nan"))

    @property
    def sample(self) -> Floats:
        """The means of all columns over the sample itself, [columns]."""
        return np.asarray(self._all_means()[0])

    def _all_means(self) -> Floats:
        if self._means is None:
            self._means = resampled_means(
                np.column_stack(self._columns),
                self.prompt_index,
                replicates=self.replicates,
                seed=self.seed,
            )
        return self._means


def resampled_means(values: Floats, prompt_index: Rows, *, replicates: int, seed: int) -> Floats:
    """Return the means of columns over the sample, then over each bootstrap replicate.

    Args:
        values: Columns of values [n, k]; NaN is left out of the means.
        prompt_index: The prompt of each row [n]; rows of the same prompt are drawn together.
        replicates: The number of replicates.
        seed: The seed of the draws.

    Returns:
        float64 [1 + replicates, k], NaN where a column has no known value.
    """
    known = np.isfinite(values)
    _, prompt_index = np.unique(prompt_index, return_inverse=True)
    sums = _sum_by_prompt(np.where(known, values, 0.0), prompt_index)
    counts = _sum_by_prompt(known.astype(np.float64), prompt_index)
    blocks = [_divide(sums.sum(axis=0)[None], counts.sum(axis=0)[None])]
    random = np.random.default_rng(seed)
    for start in range(0, replicates, _BLOCK):
        multiplicities = _draw_multiplicities(random, min(_BLOCK, replicates - start), len(sums))
        blocks.append(_divide(multiplicities @ sums, multiplicities @ counts))
    return np.concatenate(blocks)


def _draw_multiplicities(random: np.random.Generator, replicates: int, prompts: int) -> Floats:
    """Return how often each prompt is drawn in each replicate, [replicates, prompts]."""
    drawn = random.integers(0, max(prompts, 1), (replicates, prompts))
    flat = (drawn + np.arange(replicates)[:, None] * prompts).ravel()
    return np.bincount(flat, minlength=replicates * prompts).reshape(replicates, prompts).astype(np.float64)


def _sum_by_prompt(values: Floats, prompt_index: Rows) -> Floats:
    """Return the sums of values [n, k] over the rows of each prompt, [prompts, k]."""
    order = np.argsort(prompt_index, kind="stable")
    prompts = prompt_index.max() + 1 if len(prompt_index) else 0
    starts = np.searchsorted(prompt_index[order], np.arange(prompts))
    return np.add.reduceat(values[order], starts, axis=0) if len(starts) else values


def _divide(sums: Floats, counts: Floats) -> Floats:
    return np.where(counts > 0, sums / np.maximum(counts, 1e-300), np.nan)


def _ratio(numerator: Floats, denominator: Floats) -> Floats:
    usable = np.nan_to_num(denominator) > _MIN_DENOMINATOR
    return np.where(usable, numerator / np.where(usable, denominator, 1.0), np.nan)


def finite_or_none(value: float) -> float | None:
    """Return a number for JSON; None for NaN and infinity."""
    return float(value) if np.isfinite(value) else None
