"""The guard: whether predictions may move a prompt away from the best single model, decided on inner folds.

A trained router must never fall behind the best single model, so predictions have to earn their trust on
prompts that were not learnt from. A prompt leaves the best single model only if another model promises more
by a margin, and the margin is the one whose gain is surest; if none gains clearly more than its standard
error, the guard holds and no prediction counts.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.floating]

#: Margins that are tried, in shares of the scores' range.
MARGINS = (0.0, 0.01, 0.02, 0.03, 0.04, 0.06, 0.08, 0.12)
#: A deviation must gain this many standard errors to be allowed at all.
CRITICAL_VALUE = 1.5
#: The classifier is tried at several gaps and changes few choices: one of them looks good by chance.
TAU_CRITICAL_VALUE = 2.0


#: So many unseen prompts could have gone wrong by the whole range of the scores: a handful of deviations that
#: all went well, which has hardly any standard error of its own, is no evidence.
_UNSEEN = 4.0


@dataclass(frozen=True)
class Trial:
    """What one setting reached on held-out prompts, next to the best single model."""

    setting: float
    gain: float
    standard_error: float
    cost: float

    def is_significant(self, critical_value: float = CRITICAL_VALUE) -> bool:
        """Return whether the gain passes so many of its standard errors."""
        return self.gain > critical_value * self.standard_error

    @property
    def lower_bound(self) -> float:
        """The gain less the standard errors that it must pass."""
        return self.gain - CRITICAL_VALUE * self.standard_error


def run_trial(
    setting: float, scores: Values, reference: Values, costs: Values, weights: Values, *, score_range: float
) -> Trial:
    """Compare the scores of chosen models [n] with those of the reference [n], pairwise, NaN left out.

    `unit` is the range of the scores.
    """
    gains = scores - reference
    known = np.isfinite(gains)
    cost = float(np.average(costs, weights=weights)) if len(costs) else 0.0
    if known.sum() < 2:
        return Trial(setting, 0.0, 0.0, cost)
    share = weights[known] / weights[known].sum()
    gain = float(share @ gains[known])
    # With equal weights this is the usual squared standard error of a mean.
    squared = float(share**2 @ (gains[known] - gain) ** 2) / max(1.0 - float(share @ share), 1e-12)
    unseen = _UNSEEN * (score_range * float(share @ share)) ** 2
    return Trial(setting, gain, float(np.sqrt(squared + unseen)), cost)


def best_lower_bound(trials: Iterable[Trial], critical_value: float = CRITICAL_VALUE) -> float | None:
    """Return the setting that pays with the surest gain, None if none pays."""
    paying = [trial for trial in trials if trial.is_significant(critical_value)]
    return max(paying, key=lambda trial: trial.lower_bound).setting if paying else None


def cheapest_significant(trials: Iterable[Trial], *, cost: float) -> float | None:
    """Return the setting with the lowest cost among those that probably lose nothing, None if none saves.

    `cost` is that of the best single model.
    """
    safe = [trial for trial in trials if trial.is_significant() and trial.cost < cost]
    return min(safe, key=lambda trial: trial.cost).setting if safe else None


def largest_significant(trials: Iterable[Trial]) -> float | None:
    """Return the largest setting among those that probably lose nothing, None if each may."""
    return max((trial.setting for trial in trials if trial.is_significant()), default=None)
