"""Familiarity: how many prompts a router took for unlike its labelled ones."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from router_core.monitoring.drift import DriftStatistic

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

#: The fewest prompts for a limit.
MIN_PROMPTS = 50
#: The least share of unfamiliar prompts that is worth acting on. Of prompts like the labels hardly any are,
#: because the novelty of a prompt is a probability that is adjusted to its batch.
LARGE_UNFAMILIAR = 0.15


@dataclass(frozen=True, slots=True)
class Familiarity:
    """The prompts whose novelty a router measured; the counts of several chunks are added.

    Attributes:
        familiar: The expected number of prompts like the labelled ones.
        unfamiliar: The expected number of the others: the sum of the prompts' novelty, which is a
            probability. The guard holds more prompts than these: all whose novelty is above its threshold.
    """

    familiar: int
    unfamiliar: int

    @classmethod
    def of(cls, novelty: NDArray[np.floating]) -> Familiarity | None:
        """Return the counts of prompts of this novelty [n]; None where the router does not measure it."""
        measured = novelty[novelty == novelty]
        if not len(measured):
            return None
        unfamiliar = round(float(measured.sum()))
        return cls(len(measured) - unfamiliar, unfamiliar)

    def __add__(self, other: Familiarity) -> Familiarity:
        """Return the sums."""
        return Familiarity(self.familiar + other.familiar, self.unfamiliar + other.unfamiliar)

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
        limit = LARGE_UNFAMILIAR if self.prompts >= MIN_PROMPTS else 1.0
        return DriftStatistic(self.unfamiliar / self.prompts, limit)

    @property
    def high(self) -> bool:
        """Whether the share is above its limit."""
        return self.share is not None and self.share.high

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {**asdict(self), "share": asdict(self.share) if self.share else None}
