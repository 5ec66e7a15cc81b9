"""Decisions: which model gets each prompt of a chunk, and why."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray


class Reason(IntEnum):
    """Why a model was chosen; the name in lower case is what users read."""

    PREDICTED_BEST = 0
    CHEAPER_NOT_WORSE = 1
    FALLBACK_CLASSIFIER = 2
    GUARD_BEST_SINGLE = 3
    DEFAULT_MODEL = 4
    NO_ROUTER = 5


@dataclass(frozen=True)
class Decisions:
    """The decisions on n prompts over m models, as arrays.

    `category` is an index into `categories`, -1 where none was detected. `predicted` is NaN for a model that
    the router does not know. `gap` is the distance of the two highest predicted scores, NaN with fewer than
    two. `ranking` lists all models, best first, and begins with `choice`: the order to try when one fails.
    """

    models: tuple[str, ...]
    categories: tuple[str, ...]
    choice: NDArray[np.int64]  # [n]
    category: NDArray[np.int64]  # [n]
    predicted: NDArray[np.float32]  # [n, m]
    gap: NDArray[np.float32]  # [n]
    used_fallback: NDArray[np.bool_]  # [n]
    reason: NDArray[np.uint8]  # [n], of Reason
    ranking: NDArray[np.int64]  # [n, m]

    def __len__(self) -> int:
        return len(self.choice)

    def in_order(self, models: tuple[str, ...], order: NDArray[np.int64]) -> Decisions:
        """Return the same decisions with the models in another order; `order` [m] says where each stood."""
        return replace(
            self,
            models=models,
            choice=order[self.choice],
            predicted=self.predicted[:, np.argsort(order)],
            ranking=order[self.ranking],
        )

    def model(self, row: int) -> str:
        """Return the name of the chosen model."""
        return self.models[int(self.choice[row])]

    def category_name(self, row: int) -> str | None:
        """Return the detected category, None where there is none."""
        index = int(self.category[row])
        return None if index < 0 else self.categories[index]

    def reason_name(self, row: int) -> str:
        """Return the reason as users read it, for example `cheaper_not_worse`."""
        return Reason(int(self.reason[row])).name.lower()

    # Columns for whole chunks, which a loop over rows would make slow.

    def rankings(self) -> list[tuple[str, ...]]:
        """Return all models in the order to try them, for each prompt."""
        names = np.array(self.models, dtype=object)
        return list(map(tuple, names[self.ranking].tolist()))

    def category_names(self) -> list[str | None]:
        """Return the detected categories, None where there is none."""
        names = (*self.categories, None)
        return [names[index] for index in self.category.tolist()]

    def reason_names(self) -> list[str]:
        """Return the reasons as users read them."""
        names = [reason.name.lower() for reason in Reason]
        return [names[index] for index in self.reason.tolist()]

    def predicted_json(self) -> list[str]:
        """Return each prompt's predicted scores as a JSON object, as `predicted_scores` has them."""
        known = np.isfinite(self.predicted)
        told = known.all(axis=0)
        if (known.any(axis=0) != told).any():
            return [json.dumps(self.predicted_scores(row)) for row in range(len(self))]
        names = [json.dumps(self.models[column]).replace("%", "%%") for column in np.flatnonzero(told)]
        template = f"{{{', '.join(f'{name}: %.4f' for name in names)}}}"
        return [template % tuple(scores) for scores in self.predicted[:, told].tolist()]

    def rows(self, ids: Sequence[str]) -> Iterator[dict[str, object]]:
        """Yield one dictionary a prompt, ready for JSON, in the decisions format."""
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
        """Return the predicted score of each model that has one."""
        scores = zip(self.models, self.predicted[row], strict=True)
        return {model: round(float(score), 4) for model, score in scores if np.isfinite(score)}


def default_decisions(n: int, models: Sequence[str], default: str) -> Decisions:
    """Return what holds until a router is trained: every prompt goes to `default`.

    `models` is the order to try them in when the default fails, usually from the cheapest up.
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
