"""Challenger against champion on prompts that neither has learnt from: paired, bootstrapped over prompts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from router_core.data.labelled_prompts import LabelledPrompt
from router_core.data.splits import prompt_hash

REPLICATES = 2_000
#: draws in memory at once
_BLOCK = 100


@dataclass(frozen=True, kw_only=True)
class Difference:
    """Challenger minus champion: mean score, its standard error, and both mean costs in dollars (or None)."""

    prompts: int
    gain: float
    standard_error: float
    #: 95 % interval of the gain
    interval: tuple[float, float]
    champion_score: float
    challenger_score: float
    champion_cost: float | None = None
    challenger_cost: float | None = None


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """The difference over all prompts and by category; `unscored` rows lack a chosen model's score."""

    overall: Difference
    by_category: Mapping[str, Difference] = field(default_factory=dict)
    unscored: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON; the overall figures stand at the top."""
        parts = {name: asdict(one) for name, one in self.by_category.items()}
        return {**asdict(self.overall), "by_category": parts, "unscored": self.unscored}


def compare(
    rows: Sequence[LabelledPrompt], champion: Sequence[str], challenger: Sequence[str], *, seed: int = 0
) -> Comparison | None:
    """Compare the models that two routers chose, by prompt; None when no prompt can be compared.

    `rows` [n] are labelled prompts, `champion` and `challenger` [n] the chosen models' names.
    """
    mine = np.array([row.scores.get(model, np.nan) for row, model in zip(rows, challenger, strict=True)])
    theirs = np.array([row.scores.get(model, np.nan) for row, model in zip(rows, champion, strict=True)])
    scored = np.isfinite(mine) & np.isfinite(theirs)
    if not scored.any():
        return None
    table = _Table(
        scores=np.column_stack([theirs, mine])[scored],
        costs=np.column_stack([_costs(rows, champion), _costs(rows, challenger)])[scored],
        prompts=np.unique([prompt_hash(row.prompt) for row in rows], return_inverse=True)[1][scored],
        seed=seed,
    )
    names = np.array([row.category or "" for row in rows])[scored]
    by_category = {str(name): table.difference(names == name) for name in np.unique(names) if name}
    everything = table.difference(np.ones(len(names), dtype=np.bool_))
    return Comparison(overall=everything, by_category=by_category, unscored=int((~scored).sum()))


@dataclass(frozen=True)
class _Table:
    """Scores and costs [n, 2], champion first, and the prompt [n] of each row."""

    scores: NDArray[np.float64]
    costs: NDArray[np.float64]
    prompts: NDArray[np.int64]
    seed: int

    def difference(self, rows: NDArray[np.bool_]) -> Difference:
        scores, costs = self.scores[rows], self.costs[rows]
        gains = self._resampled(scores[:, 1] - scores[:, 0], self.prompts[rows])
        low, high = np.quantile(gains, [0.025, 0.975])
        champion, challenger = scores.mean(axis=0)
        known = costs[np.isfinite(costs).all(axis=1)]
        prices = known.mean(axis=0).tolist() if len(known) else (None, None)
        return Difference(
            prompts=len(np.unique(self.prompts[rows])),
            gain=float(challenger - champion),
            standard_error=float(gains.std(ddof=1)),
            interval=(float(low), float(high)),
            champion_score=float(champion),
            challenger_score=float(challenger),
            champion_cost=prices[0],
            challenger_cost=prices[1],
        )

    def _resampled(self, gains: NDArray[np.float64], prompts: NDArray[np.int64]) -> NDArray[np.float64]:
        """Mean gains [DRAWS]; prompts are drawn with all their rows, which are no separate evidence."""
        _, index = np.unique(prompts, return_inverse=True)
        sums, counts = np.bincount(index, gains), np.bincount(index)
        random, even = np.random.default_rng(self.seed), np.full(len(sums), 1 / len(sums))
        means = np.empty(REPLICATES)
        for start in range(0, REPLICATES, _BLOCK):
            drawn = random.multinomial(len(sums), even, _BLOCK)
            means[start : start + _BLOCK] = (drawn @ sums) / (drawn @ counts)
        return means


def _costs(rows: Sequence[LabelledPrompt], models: Sequence[str]) -> NDArray[np.float64]:
    return np.array([(row.costs or {}).get(model, np.nan) for row, model in zip(rows, models, strict=True)])
