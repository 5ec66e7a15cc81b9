"""Outcomes: what every model got on every prompt, against which all ways of choosing are judged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from router_core.data.labelled_prompts import LabelledPrompt, cost_matrix, score_matrix
from router_core.data.splits import prompt_hash

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Outcomes:
    """Scores and costs in dollars [n, m], NaN where unknown; `prompt` [n] numbers the different prompts."""

    models: tuple[str, ...]
    ids: tuple[str, ...]
    categories: tuple[str | None, ...]
    scores: Floats
    costs: Floats
    prompt_index: Rows

    @classmethod
    def of(cls, rows: Sequence[LabelledPrompt], models: Sequence[str]) -> Outcomes:
        """Take the outcomes of some models from labelled prompts."""
        hashes = [prompt_hash(row.prompt) for row in rows]
        _, prompt = np.unique(np.array(hashes, dtype="S64"), return_inverse=True)
        return cls(
            tuple(models),
            tuple(row.id for row in rows),
            tuple(row.category for row in rows),
            score_matrix(rows, models),
            cost_matrix(rows, models),
            prompt.astype(np.int64),
        )

    def __len__(self) -> int:
        return len(self.ids)

    def take(self, rows: Rows) -> Outcomes:
        """Return the outcomes of some prompts."""
        return replace(
            self,
            ids=tuple(self.ids[row] for row in rows),
            categories=tuple(self.categories[row] for row in rows),
            scores=self.scores[rows],
            costs=self.costs[rows],
            prompt_index=self.prompt_index[rows],
        )

    @property
    def judged(self) -> NDArray[np.bool_]:
        """Which models were judged on which prompts, [n, m]."""
        return np.isfinite(self.scores)

    @property
    def best(self) -> NDArray[np.bool_]:
        """Which models have the highest score of their prompt, [n, m]; ties make several."""
        highest = np.where(self.judged, self.scores, -np.inf).max(axis=1, keepdims=True, initial=-np.inf)
        return np.asarray(self.judged & (self.scores >= highest))


def expected_costs(costs: Floats, characters: Sequence[int]) -> Floats:
    """Return what each model could be expected to cost on each prompt, [n, m], NaN for one without costs.

    A router must not see what a call cost before it was made: each model's costs are replaced by a straight
    line through them over the length of the prompt, which is what a price list and a usual answer give.
    """
    lengths = np.asarray(characters, dtype=np.float64)
    return np.column_stack([_line(column, lengths) for column in costs.T]) if costs.size else costs.copy()


def _line(costs: Floats, lengths: Floats) -> Floats:
    known = np.isfinite(costs)
    if not known.any():
        return costs
    if np.ptp(lengths[known]) == 0:
        return np.full(len(costs), costs[known].mean())
    slope, intercept = np.polyfit(lengths[known], costs[known], 1)
    return np.asarray(np.clip(intercept + slope * lengths, costs[known].min(), costs[known].max()))
