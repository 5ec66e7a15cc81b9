"""Paired comparison of a challenger with the champion on held-out labelled prompts.

Standard errors and intervals come from a bootstrap over prompts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from router_core.data.labelled_prompts import LabelledPrompt
from router_core.data.prompt_hash import prompt_hash

REPLICATES = 2_000
#: The number of replicates drawn at once, which bounds the memory.
_BLOCK = 100


@dataclass(frozen=True, kw_only=True)
class Difference:
    """The difference of the challenger from the champion.

    Attributes:
        prompts: The number of different prompts.
        gain: The challenger's mean score less the champion's.
        standard_error: The standard error of the gain.
        interval: The 95 % confidence interval of the gain.
        champion_score: The champion's mean score.
        challenger_score: The challenger's mean score.
        champion_cost: The champion's mean cost in dollars; None where unknown.
        challenger_cost: The challenger's mean cost in dollars; None where unknown.
    """

    prompts: int
    gain: float
    standard_error: float
    interval: tuple[float, float]
    champion_score: float
    challenger_score: float
    champion_cost: float | None = None
    challenger_cost: float | None = None


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """The difference over all prompts and in each category.

    Attributes:
        overall: The difference over all prompts.
        by_category: The difference in each labelled category.
        unscored: The number of rows left out because a chosen model has no score there.
    """

    overall: Difference
    by_category: Mapping[str, Difference] = field(default_factory=dict)
    unscored: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON, with those of `overall` at the top level."""
        by_category = {name: asdict(difference) for name, difference in self.by_category.items()}
        return {**asdict(self.overall), "by_category": by_category, "unscored": self.unscored}


def compare(
    rows: Sequence[LabelledPrompt], champion: Sequence[str], challenger: Sequence[str], *, seed: int = 0
) -> Comparison | None:
    """Compare the models that two routers chose.

    Args:
        rows: Labelled prompts [n] that neither router was trained on.
        champion: The names of the models that the champion chose [n].
        challenger: The names of the models that the challenger chose [n].
        seed: The seed of the bootstrap.

    Returns:
        The comparison; None where no row has the scores of both chosen models.
    """
    scores = np.column_stack([_scores(rows, champion), _scores(rows, challenger)])
    scored = np.isfinite(scores).all(axis=1)
    if not scored.any():
        return None
    choices = _ScoredChoices(
        scores=scores[scored],
        costs=np.column_stack([_costs(rows, champion), _costs(rows, challenger)])[scored],
        prompt_index=np.unique([prompt_hash(row.prompt) for row in rows], return_inverse=True)[1][scored],
        seed=seed,
    )
    categories = np.array([row.category or "" for row in rows])[scored]
    return Comparison(
        overall=choices.difference(np.ones(len(categories), dtype=np.bool_)),
        by_category={
            str(name): choices.difference(categories == name) for name in np.unique(categories) if name
        },
        unscored=int((~scored).sum()),
    )


@dataclass(frozen=True)
class _ScoredChoices:
    """Scores and costs [n, 2] of the champion's and the challenger's choices, and each row's prompt [n]."""

    scores: NDArray[np.float64]
    costs: NDArray[np.float64]
    prompt_index: NDArray[np.int64]
    seed: int

    def difference(self, rows: NDArray[np.bool_]) -> Difference:
        """Return the difference over the rows that are marked [n]."""
        scores, costs = self.scores[rows], self.costs[rows]
        gains = self._resampled_means(scores[:, 1] - scores[:, 0], self.prompt_index[rows])
        low, high = np.quantile(gains, [0.025, 0.975])
        champion, challenger = scores.mean(axis=0)
        known = costs[np.isfinite(costs).all(axis=1)]
        mean_costs = known.mean(axis=0).tolist() if len(known) else (None, None)
        return Difference(
            prompts=len(np.unique(self.prompt_index[rows])),
            gain=float(challenger - champion),
            standard_error=float(gains.std(ddof=1)),
            interval=(float(low), float(high)),
            champion_score=float(champion),
            challenger_score=float(challenger),
            champion_cost=mean_costs[0],
            challenger_cost=mean_costs[1],
        )

    def _resampled_means(
        self, gains: NDArray[np.float64], prompt_index: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        """Return the mean gain of each bootstrap replicate, [REPLICATES].

        A prompt is drawn with all its rows, which are not independent of each other.
        """
        _, index = np.unique(prompt_index, return_inverse=True)
        sums, counts = np.bincount(index, gains), np.bincount(index)
        random, uniform = np.random.default_rng(self.seed), np.full(len(sums), 1 / len(sums))
        means = np.empty(REPLICATES)
        for start in range(0, REPLICATES, _BLOCK):
            multiplicities = random.multinomial(len(sums), uniform, _BLOCK)
            means[start : start + _BLOCK] = (multiplicities @ sums) / (multiplicities @ counts)
        return means


def _scores(rows: Sequence[LabelledPrompt], models: Sequence[str]) -> NDArray[np.float64]:
    return np.array([row.scores.get(model, np.nan) for row, model in zip(rows, models, strict=True)])


def _costs(rows: Sequence[LabelledPrompt], models: Sequence[str]) -> NDArray[np.float64]:
    return np.array([(row.costs or {}).get(model, np.nan) for row, model in zip(rows, models, strict=True)])
