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
    UNFAMILIAR = 6


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
            first is the chosen model. Models that may not answer a prompt are missing, and -1 stands at the
            end of its row for each of them.
        novelty: The probability that each prompt is of a kind that was not labelled [n]; NaN where it is not
            measured.
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
    novelty: NDArray[np.float32]

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
            ranking=np.where(self.ranking < 0, -1, order[self.ranking]),
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
        """Return the names of the models in the order in which they are tried, for each prompt."""
        names = np.array(self.models, dtype=object)
        rankings = names[self.ranking].tolist()
        lengths = (self.ranking >= 0).sum(axis=1)
        if (lengths == len(self.models)).all():
            return list(map(tuple, rankings))
        return [tuple(row[:length]) for row, length in zip(rankings, lengths.tolist(), strict=True)]

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


@dataclass(frozen=True)
class Group:
    """The prompts of a chunk that the same models may answer.

    Attributes:
        rows: Their rows.
        columns: The columns of those models.
    """

    rows: NDArray[np.int64]
    columns: NDArray[np.int64]


def groups_of(allowed: NDArray[np.bool_]) -> list[Group]:
    """Return the prompts of a chunk by the models that may answer them; few different sets fill a chunk.

    Args:
        allowed: Which of m models may answer each of n prompts [n, m]. Where none may, all may.
    """
    allowed = allowed | ~allowed.any(axis=1, keepdims=True)
    sets, group_of_row = np.unique(allowed, axis=0, return_inverse=True)
    rows = [np.flatnonzero(group_of_row.ravel() == number) for number in range(len(sets))]
    return [Group(own, np.flatnonzero(one)) for own, one in zip(rows, sets, strict=True)]


def merged(models: tuple[str, ...], groups: Sequence[Group], decided: Sequence[Decisions]) -> Decisions:
    """Return the decisions on groups of prompts, each over its own models, as decisions over all models."""
    n, m = sum(len(group.rows) for group in groups), len(models)
    whole = Decisions(
        models=models,
        categories=decided[0].categories,
        choice=np.empty(n, dtype=np.int64),
        category=np.empty(n, dtype=np.int64),
        predicted=np.full((n, m), np.nan, dtype=np.float32),
        gap=np.empty(n, dtype=np.float32),
        used_fallback=np.empty(n, dtype=np.bool_),
        reason=np.empty(n, dtype=np.uint8),
        ranking=np.full((n, m), -1, dtype=np.int64),
        novelty=np.empty(n, dtype=np.float32),
    )
    for group, part in zip(groups, decided, strict=True):
        rows, columns = group.rows, group.columns
        whole.choice[rows] = columns[part.choice]
        whole.predicted[rows[:, None], columns] = part.predicted
        whole.ranking[rows, : len(columns)] = columns[part.ranking]
        for name in ("category", "gap", "used_fallback", "reason", "novelty"):
            getattr(whole, name)[rows] = getattr(part, name)
    return whole


def default_decisions(
    n: int, models: Sequence[str], default: str, *, allowed: NDArray[np.bool_] | None = None
) -> Decisions:
    """Return the decisions without a router: the default model for every prompt.

    Args:
        n: The number of prompts.
        models: The models' names in the order in which they are tried when the default model fails.
        default: The name of the default model.
        allowed: Which of the models may answer each prompt [n, m]; by default all. Where the default model
            may not, the first that may stands in for it.

    Raises:
        ValueError: The default model is not among the models.
    """
    if allowed is not None and not allowed.all():
        groups = groups_of(allowed)
        names = [[models[column] for column in group.columns] for group in groups]
        parts = [
            default_decisions(len(group.rows), own, default if default in own else own[0])
            for group, own in zip(groups, names, strict=True)
        ]
        return merged(tuple(models), groups, parts)
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
        novelty=np.full(n, np.nan, dtype=np.float32),
    )


def _finite(value: np.float32) -> float | None:
    return round(float(value), 4) if np.isfinite(value) else None
