"""Significance tests of deviations from the best single model, on held-out prompts of the inner folds.

A trained router must not be worse than the best single model. So a prompt leaves that model only for another
one whose predicted score is higher by a margin. Training tries several margins on held-out prompts. It takes
the one with the highest lower bound of the gain, among those whose gain is significant. If none is, no
deviation is significant, and the router does not use its predictions.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.floating]

#: The margins that are tried, as shares of the range of the scores.
MARGINS = (0.0, 0.01, 0.02, 0.03, 0.04, 0.06, 0.08, 0.12)
#: A gain is significant if it is greater than this many standard errors.
CRITICAL_VALUE = 1.5
#: The same for the trials of tau. It is higher, because tau changes few choices and is tried at several
#: values, so that one of them looks good by chance.
TAU_CRITICAL_VALUE = 2.0
#: The variance of the gain includes this many more prompts that lose the whole range of the scores. Otherwise
#: a few deviations that all gained would have almost no standard error, and would count as evidence.
_PSEUDO_LOSSES = 4.0


@dataclass(frozen=True)
class Trial:
    """The result of one setting on held-out prompts, compared with a reference.

    Attributes:
        setting: The value that was tried.
        gain: The mean score less that of the reference.
        standard_error: The standard error of the gain.
        cost: The mean cost of a prompt, dollars.
    """

    setting: float
    gain: float
    standard_error: float
    cost: float

    def is_significant(self, critical_value: float = CRITICAL_VALUE) -> bool:
        """Return whether the gain is greater than this many standard errors."""
        return self.gain > critical_value * self.standard_error

    @property
    def lower_bound(self) -> float:
        """The gain less CRITICAL_VALUE standard errors."""
        return self.gain - CRITICAL_VALUE * self.standard_error


def run_trial(
    setting: float, scores: Values, reference: Values, costs: Values, weights: Values, *, score_range: float
) -> Trial:
    """Compare the scores of the chosen models with those of a reference, prompt by prompt.

    Args:
        setting: The value that is tried.
        scores: The scores of the chosen models, [n]; prompts with NaN here or in the reference are left out.
        reference: The scores of the reference, [n].
        costs: The costs of the chosen models, dollars, [n].
        weights: The weights of the prompts, [n].
        score_range: The range of the scores.
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
    pseudo_losses = _PSEUDO_LOSSES * (score_range * float(share @ share)) ** 2
    return Trial(setting, gain, float(np.sqrt(squared + pseudo_losses)), cost)


def best_lower_bound(trials: Iterable[Trial], critical_value: float = CRITICAL_VALUE) -> float | None:
    """Return the setting of the highest lower bound among those of significant gain, None without one."""
    significant = [trial for trial in trials if trial.is_significant(critical_value)]
    return max(significant, key=lambda trial: trial.lower_bound).setting if significant else None


def cheapest_significant(trials: Iterable[Trial], *, cost: float) -> float | None:
    """Return the setting with the lowest cost among those of significant gain and of less than `cost`.

    `cost` is the mean cost of the best single model. None if there is no such setting.
    """
    cheaper = [trial for trial in trials if trial.is_significant() and trial.cost < cost]
    return min(cheaper, key=lambda trial: trial.cost).setting if cheaper else None


def largest_significant(trials: Iterable[Trial]) -> float | None:
    """Return the largest setting among those of significant gain, None without one."""
    return max((trial.setting for trial in trials if trial.is_significant()), default=None)
