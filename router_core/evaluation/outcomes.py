"""The scores and costs of all models on the evaluated prompts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from router_core.data.labelled_prompts import LabelledPrompt, cost_matrix, score_matrix
from router_core.data.prompt_hash import prompt_hash

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Outcomes:
    """Scores and costs of m models on n labelled prompts.

    Attributes:
        models: The models' names [m].
        ids: The ids of the labelled prompts [n].
        categories: Their labelled categories [n], None where there is none.
        scores: Scores [n, m], NaN where a model was not judged.
        costs: Costs in dollars [n, m], NaN where unknown.
        prompt_index: The number of each row's text [n]; rows with the same prompt text share a number.
    """

    models: tuple[str, ...]
    ids: tuple[str, ...]
    categories: tuple[str | None, ...]
    scores: Floats
    costs: Floats
    prompt_index: Rows

    @classmethod
    def of(cls, rows: Sequence[LabelledPrompt], models: Sequence[str]) -> Outcomes:
        """Return the outcomes of these models on labelled prompts."""
        hashes = [prompt_hash(row.prompt) for row in rows]
        _, prompt_index = np.unique(np.array(hashes, dtype="S64"), return_inverse=True)
        return cls(
            tuple(models),
            tuple(row.id for row in rows),
            tuple(row.category for row in rows),
            score_matrix(rows, models),
            cost_matrix(rows, models),
            prompt_index.astype(np.int64),
        )

    def __len__(self) -> int:
        return len(self.ids)

    def take(self, rows: Rows) -> Outcomes:
        """Return the outcomes of the prompts with these row numbers."""
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
        """Whether a model has a score on a prompt, [n, m]."""
        return np.isfinite(self.scores)

    @property
    def best(self) -> NDArray[np.bool_]:
        """Whether a model has the highest score of the prompt, [n, m]; several models in a tie."""
        highest = np.where(self.judged, self.scores, -np.inf).max(axis=1, keepdims=True, initial=-np.inf)
        return np.asarray(self.judged & (self.scores >= highest))


def expected_costs(costs: Floats, characters: Sequence[int]) -> Floats:
    """Return expected costs by linear regression of each model's costs on the prompt length.

    A router must not see the actual cost of a call before it chooses. A straight line over the length is
    what a price list and an answer of average length give. Expected costs stay within the range of the
    model's known costs.

    Args:
        costs: Actual costs in dollars [n, m], NaN where unknown.
        characters: The prompts' lengths in characters [n].

    Returns:
        Expected costs in dollars [n, m], NaN for a model without known costs.
    """
    lengths = np.asarray(characters, dtype=np.float64)
    if not costs.size:
        return costs.copy()
    return np.column_stack([_regressed(column, lengths) for column in costs.T])


def _regressed(costs: Floats, lengths: Floats) -> Floats:
    known = np.isfinite(costs)
    if not known.any():
        return costs
    if np.ptp(lengths[known]) == 0:
        return np.full(len(costs), costs[known].mean())
    slope, intercept = np.polyfit(lengths[known], costs[known], 1)
    return np.asarray(np.clip(intercept + slope * lengths, costs[known].min(), costs[known].max()))
