"""Whether a canary does worse than the champion beside it: a pure comparison of what both have reached.

It is asked again and again while the canary runs, so a difference has to be large against its error: at three
standard errors, looking thirty times raises a false alarm in about 1 of 100 canaries.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

#: standard errors that a difference must pass
SIGMAS = 3.0
#: ended requests of each arm, or judged ones, below which nothing is said
MIN_REQUESTS = 50
#: a better router may cost more; a canary may cost this many times what the champion does
MAX_COST_RATIO = 1.5


@dataclass(frozen=True, slots=True)
class Sample:
    """Number, mean and variance of what was measured."""

    n: int = 0
    mean: float = 0.0
    variance: float = 0.0

    @classmethod
    def of_sums(cls, n: int, total: float, squares: float) -> Sample:
        """From the sum of the values and the sum of their squares."""
        if n < 2:
            return cls(n, total if n else 0.0, 0.0)
        mean = total / n
        return cls(n, mean, max(0.0, (squares - n * mean * mean) / (n - 1)))


@dataclass(frozen=True, slots=True)
class Arm:
    """What the requests of one router reached: failures (0 or 1), dollars, judged scores."""

    failures: Sample = Sample()
    cost: Sample = Sample()
    quality: Sample = Sample()


def what_got_worse(canary: Arm, champion: Arm) -> str | None:
    """Say what the canary does worse, with both figures; None while nothing is shown."""
    if _exceeds(canary.failures, champion.failures):
        return (
            f"{canary.failures.mean:.1%} of its requests fail, {champion.failures.mean:.1%} of the champion's"
        )
    if _exceeds(canary.cost, champion.cost, times=MAX_COST_RATIO):
        return f"a request costs ${canary.cost.mean:.6f}, with the champion ${champion.cost.mean:.6f}"
    if _exceeds(champion.quality, canary.quality):
        return f"judges give it {canary.quality.mean:.3f}, the champion {champion.quality.mean:.3f}"
    return None


def _exceeds(first: Sample, second: Sample, *, times: float = 1.0) -> bool:
    """Whether the first mean is above `times` the second by more than chance allows."""
    if min(first.n, second.n) < MIN_REQUESTS:
        return False
    error = sqrt(_variance(first) / first.n + times * times * _variance(second) / second.n)
    return first.mean - times * second.mean > SIGMAS * error


def _variance(sample: Sample) -> float:
    # Fifty requests without a failure do not show that none can fail: as if one more had differed by 1 mean.
    return sample.variance + sample.mean * sample.mean / sample.n + 1e-12
