"""Familiarity: how many prompts a router took for unlike its labelled ones, and how many by chance."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from math import sqrt
from typing import TYPE_CHECKING, Any

from router_core.monitoring.drift import DriftStatistic

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from router_core.hyperparameters import Hyperparameters

#: The fewest prompts for a limit.
MIN_PROMPTS = 50
#: How far above its expectation a share is worth acting on.
_LARGE_EXCESS = 0.15
#: The normal quantile of the critical values: a false alarm in a thousand.
_SIGMAS = 3.09


@dataclass(frozen=True, slots=True)
class Familiarity:
    """The prompts whose novelty a router measured; the counts of several chunks are added.

    Attributes:
        familiar: The number of prompts like the labelled ones.
        unfamiliar: The number of the others: their novelty is above the threshold of the policy.
        expected: How many would be unfamiliar by chance if all prompts were like the labelled ones.
    """

    familiar: int
    unfamiliar: int
    expected: float

    @classmethod
    def of(
        cls, novelty: NDArray[np.floating], hyperparameters: Hyperparameters, policy: str
    ) -> Familiarity | None:
        """Return the counts of prompts of this novelty [n]; None where the router does not measure it."""
        threshold = unfamiliar_above(hyperparameters, policy)
        measured = novelty[novelty == novelty]
        if threshold is None or not len(measured):
            return None
        unfamiliar = int((measured > threshold).sum())
        return cls(len(measured) - unfamiliar, unfamiliar, len(measured) * (1 - threshold))

    def __add__(self, other: Familiarity) -> Familiarity:
        """Return the sums."""
        return Familiarity(
            self.familiar + other.familiar,
            self.unfamiliar + other.unfamiliar,
            self.expected + other.expected,
        )

    @property
    def prompts(self) -> int:
        """The number of prompts."""
        return self.familiar + self.unfamiliar

    @property
    def share(self) -> DriftStatistic | None:
        """The share of unfamiliar prompts and its limit; None without prompts.

        With fewer than `MIN_PROMPTS` the limit is 1: too few to call the share high.
        """
        if not self.prompts:
            return None
        expected = min(1.0, self.expected / self.prompts)
        chance = _SIGMAS * sqrt(expected * (1 - expected) / self.prompts)
        limit = expected + max(_LARGE_EXCESS, chance) if self.prompts >= MIN_PROMPTS else 1.0
        return DriftStatistic(self.unfamiliar / self.prompts, min(1.0, limit))

    @property
    def high(self) -> bool:
        """Whether the share is above its limit."""
        return self.share is not None and self.share.high

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {**asdict(self), "share": asdict(self.share) if self.share else None}


def unfamiliar_above(hyperparameters: Hyperparameters, policy: str) -> float | None:
    """Return the novelty above which a prompt is unfamiliar under this policy; None without a measure."""
    return None if hyperparameters.shift is None else hyperparameters.shift.thresholds[policy]
