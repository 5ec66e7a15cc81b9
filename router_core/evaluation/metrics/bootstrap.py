"""Figures: means over prompts with standard errors by a paired bootstrap over the prompts.

Every figure is computed again on the same resampled prompts, so that the errors of differences and ratios
are those of paired comparisons. Rows of one prompt are drawn together.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]

REPLICATES = 1000
#: Replicates drawn at once: bounds the memory that the counts take.
_BLOCK = 100


@dataclass(frozen=True)
class EstimateWithError:
    """A value and its standard error; NaN where there is nothing to take it from."""

    value: float
    error: float

    def to_dict(self) -> dict[str, float | None]:
        """Return plain values for JSON."""
        return {"value": finite_or_none(self.value), "error": finite_or_none(self.error)}


@dataclass
class Bootstrap:
    """Collects values by prompt [n], then draws prompts once and gives the means of all of them.

    `add` everything first, then ask: `mean`, `ratio` or any `figure` of means.
    """

    prompt_index: Rows
    seed: int = 0
    replicates: int = REPLICATES
    _columns: list[Floats] = field(default_factory=list)
    _means: Floats | None = None

    def add(self, values: Floats) -> int:
        """Take values [n], NaN where unknown, and return the number of their column."""
        self._columns.append(values)
        return len(self._columns) - 1

    def mean(self, column: int) -> EstimateWithError:
        """Return the mean of a column."""
        return self.estimate(lambda means: means[:, column])

    def ratio(self, column: int, whole: int) -> EstimateWithError:
        """Return the mean of a column over the mean of another one, NaN where that is not above 0."""
        return self.estimate(lambda means: _ratio(means[:, column], means[:, whole]))

    def estimate(self, of: Callable[[Floats], Floats]) -> EstimateWithError:
        """Return what a function makes of the means [1 + replicates, columns]; the sample comes first."""
        values = of(self._all_means())
        drawn = values[1:][np.isfinite(values[1:])]
        error = float(drawn.std(ddof=1)) if len(drawn) > 1 else float("nan")
        return EstimateWithError(float(values[0]), error if np.isfinite(values[0]) else float("nan"))

    @property
    def sample(self) -> Floats:
        """The means of all columns over the sample itself, [columns]."""
        return np.asarray(self._all_means()[0])

    def _all_means(self) -> Floats:
        if self._means is None:
            self._means = resampled_means(
                np.column_stack(self._columns), self.prompt_index, replicates=self.replicates, seed=self.seed
            )
        return self._means


def resampled_means(values: Floats, prompt_index: Rows, *, replicates: int, seed: int) -> Floats:
    """Return the means of columns [n, k], over known values only: of the sample, then of each replicate.

    float64 [1 + replicates, k]. `prompt` [n] says which rows belong together.
    """
    known = np.isfinite(values)
    _, prompt_index = np.unique(prompt_index, return_inverse=True)
    sums = _by_prompt(np.where(known, values, 0.0), prompt_index)
    counts = _by_prompt(known.astype(np.float64), prompt_index)
    blocks = [_divide(sums.sum(axis=0)[None], counts.sum(axis=0)[None])]
    random = np.random.default_rng(seed)
    for start in range(0, replicates, _BLOCK):
        times = _times(random, min(_BLOCK, replicates - start), len(sums))
        blocks.append(_divide(times @ sums, times @ counts))
    return np.concatenate(blocks)


def _times(random: np.random.Generator, replicates: int, prompts: int) -> Floats:
    """Return how often each prompt is drawn, [replicates, prompts]."""
    drawn = random.integers(0, max(prompts, 1), (replicates, prompts))
    flat = (drawn + np.arange(replicates)[:, None] * prompts).ravel()
    return np.bincount(flat, minlength=replicates * prompts).reshape(replicates, prompts).astype(np.float64)


def _by_prompt(values: Floats, prompt: Rows) -> Floats:
    order = np.argsort(prompt, kind="stable")
    starts = np.searchsorted(prompt[order], np.arange(prompt.max() + 1 if len(prompt) else 0))
    return np.add.reduceat(values[order], starts, axis=0) if len(starts) else values


def _divide(sums: Floats, counts: Floats) -> Floats:
    return np.where(counts > 0, sums / np.maximum(counts, 1e-300), np.nan)


def _ratio(part: Floats, whole: Floats) -> Floats:
    # Not exactly 0: a room of 1e-17 is rounding, and a ratio to it says nothing.
    usable = np.nan_to_num(whole) > 1e-12
    return np.where(usable, part / np.where(usable, whole, 1.0), np.nan)


def finite_or_none(value: float) -> float | None:
    """Return a number for JSON: None stands for what is unknown."""
    return float(value) if np.isfinite(value) else None
