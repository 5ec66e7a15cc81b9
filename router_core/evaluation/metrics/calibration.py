"""Calibration of predictions (reliability diagram), and the confusion matrix of detected categories."""

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
#: With this many labelled categories or more, the confusion has no columns for those never detected.
_MANY_CATEGORIES = 30
#: The name of the category of a prompt without one, labelled or detected.
NONE = "(none)"


@dataclass(frozen=True)
class Calibration:
    """A reliability diagram: predicted and observed means and the count in each bin of the predictions."""

    predicted: tuple[float, ...]
    observed: tuple[float, ...]
    count: tuple[int, ...]

    def to_dict(self) -> dict[str, list[float | None] | list[int]]:
        """Return plain values for JSON, in which the means are called `said` and `came_out`."""
        return {
            "said": [finite_or_none(mean) for mean in self.predicted],
            "came_out": [finite_or_none(mean) for mean in self.observed],
            "count": list(self.count),
        }


@dataclass(frozen=True)
class Confusion:
    """The confusion matrix of categories.

    Attributes:
        labelled: The labelled categories, one for each row.
        detected: The detected categories, one for each column.
        counts: The number of prompts, [rows, columns].
    """

    labelled: tuple[str, ...]
    detected: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]

    @property
    def accuracy(self) -> float:
        """The share of labelled prompts whose detected category is the labelled one; NaN without any."""
        total = sum(sum(row) for row in self.counts)
        correct = sum(
            row[self.detected.index(name)]
            for name, row in zip(self.labelled, self.counts, strict=True)
            if name in self.detected
        )
        return correct / total if total else float("nan")


def score_calibration(outcomes: Outcomes, predicted: Floats) -> Calibration:
    """Compare predicted scores [n, m] with actual ones, over all models together."""
    both = outcomes.judged & np.isfinite(predicted)
    return calibration(predicted[both], outcomes.scores[both])


def pairwise_calibration(outcomes: Outcomes, pairwise: PairwisePredictions) -> Calibration:
    """Compare P(first beats second) with the share of actual wins, over pairs with unequal scores."""
    rows = np.arange(len(pairwise.first))
    difference = outcomes.scores[rows, pairwise.first] - outcomes.scores[rows, pairwise.second]
    unequal = np.abs(difference) > 0
    return calibration(pairwise.first_wins[unequal], (difference[unequal] > 0).astype(np.float64))


def calibration(predicted: Floats, observed: Floats, *, bins: int = _BINS) -> Calibration:
    """Return the means in bins of about equal count.

    Equal predictions are in the same bin, so there may be fewer bins.

    Args:
        predicted: Predictions [n].
        observed: The values that they predict [n].
        bins: The number of bins.
    """
    if not len(predicted):
        return Calibration((), (), ())
    edges = np.unique(np.quantile(predicted, np.linspace(0, 1, bins + 1)[1:-1]))
    bin_of = np.searchsorted(edges, predicted, side="right")
    members = [bin_of == index for index in np.unique(bin_of)]
    return Calibration(
        tuple(float(predicted[member].mean()) for member in members),
        tuple(float(observed[member].mean()) for member in members),
        tuple(int(member.sum()) for member in members),
    )


def confusion(labelled: Sequence[str | None], detected: Sequence[str | None]) -> Confusion | None:
    """Return the confusion matrix over the prompts with a labelled category; None if there are none.

    Args:
        labelled: The labelled category of each prompt [n], or None.
        detected: The detected category of each prompt [n], or None.
    """
    pairs = [(label, name or NONE) for label, name in zip(labelled, detected, strict=True) if label]
    if not pairs:
        return None
    rows = tuple(sorted({label for label, _ in pairs}))
    never_detected = set(rows) if len(rows) < _MANY_CATEGORIES else set()
    columns = tuple(sorted({name for _, name in pairs} | never_detected))
    counts = np.zeros((len(rows), len(columns)), dtype=np.int64)
    row_of, column_of = _positions(rows), _positions(columns)
    np.add.at(counts, ([row_of[label] for label, _ in pairs], [column_of[name] for _, name in pairs]), 1)
    return Confusion(rows, columns, tuple(tuple(row) for row in counts.tolist()))


def _positions(names: Sequence[str]) -> dict[str, int]:
    return {name: position for position, name in enumerate(names)}
