"""Whether a canary does worse than the champion beside it: a pure comparison of what both have reached.

It is asked again and again while the canary runs, so the test must hold at every look: a mixture sequential
probability ratio test (Robbins 1970; Johari et al. 2017 for two arms). Each of the three signals raises a
false alarm in about 1 of 200 canaries, however often one looks: by chance the ratio passes 1/ALPHA in at most
ALPHA of them, half of these on the side that is no alarm.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, sqrt

ALPHA = 0.01
#: ended requests of each arm, or judged ones, below which nothing is said: the test takes means for normal
MIN_REQUESTS = 50
MIN_JUDGED = 30
#: a better router may cost more; a canary may cost this many times what the champion does
MAX_COST_RATIO = 1.5
#: a cheaper one may be worth a little less to the judges, whose scores have a mean of 0.5
QUALITY_MARGIN = 0.02
#: differences that the test is quickest to see, of shares and scores; of cost, in means of the champion's
_FAILURES, _QUALITY, _COST = 0.05, 0.1, 0.5


@dataclass(frozen=True, slots=True)
class SampleStats:
    """Number, mean and variance of what was measured."""

    n: int = 0
    mean: float = 0.0
    variance: float = 0.0

    @classmethod
    def of(cls, values: Sequence[float]) -> SampleStats:
        """From the values themselves."""
        return cls.of_sums(len(values), sum(values), sum(value * value for value in values))

    @classmethod
    def of_sums(cls, n: int, total: float, squares: float) -> SampleStats:
        """From the sum of the values and the sum of their squares."""
        if n < 2:
            return cls(n, total if n else 0.0, 0.0)
        mean = total / n
        return cls(n, mean, max(0.0, (squares - n * mean * mean) / (n - 1)))


@dataclass(frozen=True, slots=True)
class Arm:
    """What the requests of one router reached: failures (0 or 1), dollars, judged scores."""

    failures: SampleStats = SampleStats()
    cost: SampleStats = SampleStats()
    quality: SampleStats = SampleStats()


def detect_regression(canary: Arm, champion: Arm) -> str | None:
    """Say what the canary does worse, with both figures; None while nothing is shown."""
    if _exceeds(canary.failures, champion.failures, scale=_FAILURES):
        return (
            f"{canary.failures.mean:.1%} of its requests fail, {champion.failures.mean:.1%} of the champion's"
        )
    if _exceeds(canary.cost, champion.cost, times=MAX_COST_RATIO, scale=_COST * champion.cost.mean):
        return f"a request costs ${canary.cost.mean:.6f}, with the champion ${champion.cost.mean:.6f}"
    if _exceeds(champion.quality, canary.quality, margin=QUALITY_MARGIN, scale=_QUALITY, enough=MIN_JUDGED):
        return f"judges give it {canary.quality.mean:.3f}, the champion {champion.quality.mean:.3f}"
    return None


def _exceeds(
    first: SampleStats,
    second: SampleStats,
    *,
    scale: float,
    times: float = 1.0,
    margin: float = 0.0,
    enough: int = MIN_REQUESTS,
) -> bool:
    """Return whether the first mean is above `times` the second by more than the margin, at whatever look."""
    if min(first.n, second.n) < enough:
        return False
    difference = first.mean - times * second.mean - margin
    variance = _variance(first) / first.n + times * times * _variance(second) / second.n
    return difference > 0 and _ratio(difference, variance, scale * scale) >= 1 / ALPHA


def _ratio(difference: float, variance: float, mixed: float) -> float:
    """Return how much likelier the difference is under effects of variance `mixed` than under none."""
    whole = variance + mixed
    return sqrt(variance / whole) * exp(min(700.0, mixed * difference * difference / (2 * variance * whole)))


def _variance(sample: SampleStats) -> float:
    # Fifty requests without a failure do not show that none can fail: as if one more had differed by 1 mean.
    return sample.variance + sample.mean * sample.mean / sample.n + 1e-12
