"""Agreement of what was said beforehand with what came out: calibration and the category confusion."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from router_core.evaluation.metrics.bootstrap import finite_or_none
from router_core.evaluation.outcomes import Outcomes
from router_core.evaluation.pairwise_predictions import PairwisePredictions

Floats = NDArray[np.float64]

_BINS = 10
#: A detected category where there is none, and the label of a prompt without one.
NONE = "(none)"


@dataclass(frozen=True)
class Calibration:
    """Means of what was said and of what came out, and the count, by bin of what was said."""

    predicted: tuple[float, ...]
    observed: tuple[float, ...]
    count: tuple[int, ...]

    def to_dict(self) -> dict[str, list[float | None] | list[int]]:
        """Return plain values for JSON, in which the two means are called `said` and `came_out`."""
        said, came_out = ([finite_or_none(value) for value in one] for one in (self.predicted, self.observed))
        return {"said": said, "came_out": came_out, "count": list(self.count)}


@dataclass(frozen=True)
class Confusion:
    """Prompts by labelled category (rows) and detected one (columns)."""

    labelled: tuple[str, ...]
    detected: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]

    @property
    def accuracy(self) -> float:
        """The share of labelled prompts whose category was detected."""
        whole = sum(sum(row) for row in self.counts)
        right = sum(
            row[self.detected.index(name)]
            for name, row in zip(self.labelled, self.counts, strict=True)
            if name in self.detected
        )
        return right / whole if whole else float("nan")


def score_calibration(outcomes: Outcomes, predicted: Floats) -> Calibration:
    """Compare predicted scores with scores, all models [n, m] together."""
    both = outcomes.judged & np.isfinite(predicted)
    return calibration(predicted[both], outcomes.scores[both])


def pairwise_calibration(outcomes: Outcomes, duels: PairwisePredictions) -> Calibration:
    """Compare P(first beats second) with who won, where the two highest predictions' scores differ."""
    rows = np.arange(len(duels.first))
    difference = outcomes.scores[rows, duels.first] - outcomes.scores[rows, duels.second]
    unequal = np.abs(difference) > 0
    return calibration(duels.first_wins[unequal], (difference[unequal] > 0).astype(np.float64))


def calibration(predicted: Floats, observed: Floats, *, bins: int = _BINS) -> Calibration:
    """Return the means in bins of equal count, in the order of what was said; equal words stay together."""
    if not len(predicted):
        return Calibration((), (), ())
    edges = np.unique(np.quantile(predicted, np.linspace(0, 1, bins + 1)[1:-1]))
    where = np.searchsorted(edges, predicted, side="right")
    kept = [where == index for index in np.unique(where)]
    return Calibration(
        tuple(float(predicted[own].mean()) for own in kept),
        tuple(float(observed[own].mean()) for own in kept),
        tuple(int(own.sum()) for own in kept),
    )


def confusion(labelled: Sequence[str | None], detected: Sequence[str | None]) -> Confusion | None:
    """Count the prompts that have a label by label and detected category; None without any label."""
    pairs = [(label, name or NONE) for label, name in zip(labelled, detected, strict=True) if label]
    if not pairs:
        return None
    rows = tuple(sorted({label for label, _ in pairs}))
    columns = tuple(sorted({name for _, name in pairs} | (set(rows) if len(rows) < 30 else set())))
    counts = np.zeros((len(rows), len(columns)), dtype=np.int64)
    row_of, column_of = _index(rows), _index(columns)
    np.add.at(counts, ([row_of[a] for a, _ in pairs], [column_of[b] for _, b in pairs]), 1)
    return Confusion(rows, columns, tuple(tuple(row) for row in counts.tolist()))


def _index(names: Sequence[str]) -> dict[str, int]:
    return {name: position for position, name in enumerate(names)}
