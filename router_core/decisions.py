"""Routing decisions: which model is chosen for each prompt of a chunk, and why."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray


class Reason(IntEnum):
    """The reason for a choice; results and explanations show its name in lower case."""

    PREDICTED_BEST = 0
    CHEAPER_NOT_WORSE = 1
    FALLBACK_CLASSIFIER = 2
    GUARD_BEST_SINGLE = 3
    DEFAULT_MODEL = 4
    NO_ROUTER = 5


@dataclass(frozen=True)
class Decisions:
    """The decisions on n prompts over m models, as arrays.

    Attributes:
        models: The models' names [m].
        categories: The names of all categories that the router detects.
        choice: The column of the chosen model [n].
        category: The index of the detected category in `categories` [n], -1 where there is none.
        predicted: The predicted scores [n, m], NaN for a model that the router does not know.
        gap: The difference of the two highest predicted scores [n], NaN with fewer than two.
        used_fallback: Whether the pairwise classifier (CARGO's fallback) decided [n].
        reason: The `Reason` of each choice [n].
        ranking: The columns of all models [n, m] in the order in which they are tried when one fails; the
            first is the chosen model.
    """

    models: tuple[str, ...]
    categories: tuple[str, ...]
    choice: NDArray[np.int64]
    category: NDArray[np.int64]
    predicted: NDArray[np.float32]
    gap: NDArray[np.float32]
    used_fallback: NDArray[np.bool_]
    reason: NDArray[np.uint8]
    ranking: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.choice)

    def in_order(self, models: tuple[str, ...], order: NDArray[np.int64]) -> Decisions:
        """Return the same decisions with the models in another order.

        Args:
            models: The models' names in the new order [m].
            order: The new column of each present column [m].
        """
        return replace(
            self,
            models=models,
            choice=order[self.choice],
            predicted=self.predicted[:, np.argsort(order)],
            ranking=order[self.ranking],
        )

    def model(self, row: int) -> str:
        """Return the name of the model chosen for the prompt in this row."""
        return self.models[int(self.choice[row])]

    def category_name(self, row: int) -> str | None:
        """Return the category detected for the prompt in this row, or None."""
        index = int(self.category[row])
        return None if index < 0 else self.categories[index]

    def reason_name(self, row: int) -> str:
        """Return the reason of the choice in this row as results show it, for example `cheaper_not_worse`."""
        return Reason(int(self.reason[row])).name.lower()

    # The methods below convert whole chunks at once, which is much faster than a loop over rows.

    def rankings(self) -> list[tuple[str, ...]]:
        """Return the names of all models in the order in which they are tried, for each prompt."""
        names = np.array(self.models, dtype=object)
        return list(map(tuple, names[self.ranking].tolist()))

    def category_names(self) -> list[str | None]:
        """Return the detected category of each prompt, None where there is none."""
        names = (*self.categories, None)
        return [names[index] for index in self.category.tolist()]

    def reason_names(self) -> list[str]:
        """Return the reason of each choice as results show it."""
        names = [reason.name.lower() for reason in Reason]
        return [names[index] for index in self.reason.tolist()]

    def predicted_json(self) -> list[str]:
        """Return the JSON object of each prompt's `predicted_scores`."""
        is_known = np.isfinite(self.predicted)
        known = is_known.all(axis=0)
        if (is_known.any(axis=0) != known).any():
            return [json.dumps(self.predicted_scores(row)) for row in range(len(self))]
        # Every prompt has scores of the same models, so one template for all is much faster than json.dumps.
        names = [json.dumps(self.models[column]).replace("%", "%%") for column in np.flatnonzero(known)]
        template = f"{{{', '.join(f'{name}: %.4f' for name in names)}}}"
        return [template % tuple(scores) for scores in self.predicted[:, known].tolist()]

    def rows(self, ids: Sequence[str]) -> Iterator[dict[str, object]]:
        """Yield a dictionary for each prompt, in the decisions format of docs/formats.md."""
        for row, prompt_id in zip(range(len(self)), ids, strict=True):
            yield {
                "id": prompt_id,
                "model": self.model(row),
                "category": self.category_name(row),
                "predicted": self.predicted_scores(row),
                "gap": _finite(self.gap[row]),
                "used_fallback": bool(self.used_fallback[row]),
                "reason": self.reason_name(row),
            }

    def predicted_scores(self, row: int) -> dict[str, float]:
        """Return the rounded predicted score of each model that has one, for the prompt in this row."""
        scores = zip(self.models, self.predicted[row], strict=True)
        return {model: round(float(score), 4) for model, score in scores if np.isfinite(score)}


def default_decisions(n: int, models: Sequence[str], default: str) -> Decisions:
    """Return the decisions without a router: the default model for every prompt.

    Args:
        n: The number of prompts.
        models: The models' names in the order in which they are tried when the default model fails.
        default: The name of the default model.

    Raises:
        ValueError: The default model is not among the models.
    """
    if default not in models:
        raise ValueError(f"the default model {default!r} is not among the models")
    first = list(models).index(default)
    order = [first, *(index for index in range(len(models)) if index != first)]
    return Decisions(
        models=tuple(models),
        categories=(),
        choice=np.full(n, first),
        category=np.full(n, -1),
        predicted=np.full((n, len(models)), np.nan, dtype=np.float32),
        gap=np.full(n, np.nan, dtype=np.float32),
        used_fallback=np.zeros(n, dtype=np.bool_),
        reason=np.full(n, Reason.NO_ROUTER, dtype=np.uint8),
        ranking=np.tile(np.array(order, dtype=np.int64), (n, 1)),
    )


def _finite(value: np.float32) -> float | None:
    return round(float(value), 4) if np.isfinite(value) else None
