"""Luck: how much of the oracle's headroom comes from the draw of the answers, by prompts with repeats.

The oracle takes the highest of several noisy scores, which is too high by chance: another run of the same
models would not repeat it. Here the model is chosen by the means of a prompt's other repeats and scored on
the one left out. So the gain has no luck in it; a chooser that knew the expected scores would gain more.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from router_core.evaluation.metrics.bootstrap import Bootstrap, EstimateWithError, finite_or_none
from router_core.evaluation.outcomes import Outcomes
from router_core.evaluation.strategies import Strategy

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Luck:
    """The oracle's gain over the best single model on prompts with repeats, with its luck and without.

    Attributes:
        prompts: The number of prompts with repeats.
        observed: The gain of the oracle, which knows the scores of the run that counts.
        repeatable: The gain of choosing by the other repeats.
        share: The share of the observed gain that is luck.
    """

    prompts: int
    observed: EstimateWithError
    repeatable: EstimateWithError
    share: EstimateWithError

    def note(self) -> str | None:
        """Return the sentence for readers; None if the oracle gains nothing."""
        if not self.observed.value > 0:
            return None
        repeatable = f"{self.repeatable.value:.4f} ± {self.repeatable.error:.4f}"
        return (
            f"{self.share.value:.0%} ± {self.share.error:.0%} of the oracle's headroom is luck: on the"
            f" {self.prompts:,} prompts with repeats it gains {self.observed.value:.4f} on the run that it"
            f" knows, and {repeatable} if it chooses by the other runs"
        )

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        estimates = {name: getattr(self, name) for name in ("observed", "repeatable", "share")}
        plain = {
            name: {key: finite_or_none(value) for key, value in vars(one).items()}
            for name, one in estimates.items()
        }
        return {"prompts": self.prompts, **plain}


def oracle_luck(outcomes: Outcomes, best_single: Strategy, *, seed: int = 0) -> Luck | None:
    """Return the luck in the oracle's headroom; None without a prompt that has repeats."""
    groups: defaultdict[tuple[str, int], list[int]] = defaultdict(list)
    for row, key in enumerate(zip(outcomes.ids, outcomes.prompt_index.tolist(), strict=True)):
        groups[key].append(row)
    repeated = [np.array(rows) for rows in groups.values() if len(rows) > 1]
    if not repeated:
        return None
    rows = np.concatenate(repeated)
    best = best_single.expected(outcomes.scores)
    observed = np.nanmax(np.where(outcomes.judged, outcomes.scores, -np.inf), axis=1) - best
    chosen = np.concatenate([_by_others(outcomes.scores[own]) for own in repeated])
    repeatable = chosen - best[rows]
    bootstrap = Bootstrap(outcomes.prompt_index[rows], seed)
    # The same rows in both, so that the two gains are paired.
    first = bootstrap.add(observed[rows] + 0.0 * repeatable)
    second = bootstrap.add(repeatable + 0.0 * observed[rows])
    lost = bootstrap.add(observed[rows] - repeatable)
    return Luck(len(repeated), bootstrap.mean(first), bootstrap.mean(second), bootstrap.ratio(lost, first))


def _by_others(scores: Floats) -> Floats:
    """Return, for each repeat, the score of the models that are best by the mean of the others, [k].

    Args:
        scores: The scores of a prompt's repeats, [k, m], NaN where unknown. Of equally good models the mean
            counts.
    """
    found = np.full(len(scores), np.nan)
    for repeat in range(len(scores)):
        others, own = np.delete(scores, repeat, axis=0), scores[repeat]
        known = np.isfinite(others)
        usable = known.any(axis=0) & np.isfinite(own)
        if usable.any():
            means = np.where(known, others, 0.0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
            best = usable & (means >= means[usable].max() - 1e-9)
            found[repeat] = own[best].mean()
    return found
