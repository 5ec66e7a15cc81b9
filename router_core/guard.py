"""The guard: whether predictions may move a prompt away from the best single model, decided on inner folds.

A trained router must never fall behind the best single model, so predictions have to earn their trust on
prompts that were not learnt from: the share of a prompt's addition that is believed is 0 unless the gain
passes its standard error.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Gains = NDArray[np.floating]

#: Shares of the predicted addition that are tried, the most cautious first.
TRUST = (0.25, 0.5, 0.75, 1.0)


@dataclass(frozen=True)
class Trial:
    """What one setting reached on held-out prompts, next to the best single model."""

    setting: float
    gain: float
    standard_error: float
    cost: float

    @property
    def pays(self) -> bool:
        """Return whether the gain passes its standard error."""
        return self.gain > self.standard_error

    @property
    def is_safe(self) -> bool:
        """Return whether nothing is lost."""
        return self.gain >= 0


def trial(setting: float, scores: Gains, reference: Gains, costs: Gains) -> Trial:
    """Compare the scores of chosen models [n] with those of the reference [n], pairwise, NaN left out."""
    gains = scores - reference
    gains = gains[np.isfinite(gains)]
    if len(gains) < 2:
        return Trial(setting, 0.0, 0.0, float(np.mean(costs)) if len(costs) else 0.0)
    error = float(gains.std(ddof=1) / np.sqrt(len(gains)))
    return Trial(setting, float(gains.mean()), error, float(np.mean(costs)))


def best_paying(trials: list[Trial]) -> float:
    """Return the setting with the highest gain among those that pay, 0 if none does."""
    paying = [trial for trial in trials if trial.pays]
    return max(paying, key=lambda trial: trial.gain).setting if paying else 0.0


def most_trusting(trials: list[Trial]) -> float:
    """Return the largest setting that pays within one standard error of the best that pays, 0 if none does.

    The blend is already the least-squares one, so a smaller share has to be clearly better to be preferred.
    """
    paying = [trial for trial in trials if trial.pays]
    if not paying:
        return 0.0
    best = max(paying, key=lambda trial: trial.gain)
    return max(trial.setting for trial in paying if trial.gain >= best.gain - best.standard_error)


def cheapest_safe(trials: list[Trial]) -> float:
    """Return the setting with the lowest cost among those that lose nothing, 0 if none does."""
    safe = [trial for trial in trials if trial.is_safe]
    return min(safe, key=lambda trial: trial.cost).setting if safe else 0.0
