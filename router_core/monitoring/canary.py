"""Sequential test for a regression of a canary router against the champion that runs beside it.

The test is repeated while the canary runs, so it must hold at every look: a mixture sequential probability
ratio test (Robbins 1970; for two samples Johari et al. 2017). It compares failures, cost and judged quality.
Under the null hypothesis a ratio ever reaches 1 / `ALPHA` with probability `ALPHA` at most, however often one
looks. Half of these crossings are on the side of an improvement and raise no alarm. So each of the three
signals raises a false alarm in about 1 of 200 canaries.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, sqrt

ALPHA = 0.01
#: The fewest ended requests, and judged ones, of each arm for a test, which takes means for normal.
MIN_REQUESTS = 50
MIN_JUDGED = 30
#: How many times as much as the champion's a canary's request may cost: a better router may cost more.
MAX_COST_RATIO = 1.5
#: How far below the champion's a canary's judged quality may be: a cheaper router may lose a little. Judged
#: scores have a mean of 0.5.
QUALITY_MARGIN = 0.02
#: The standard deviations of the mixture, which are the effects that the test detects fastest: of the failure
#: rate, of judged scores, and of cost in multiples of the champion's mean.
_FAILURES_SCALE, _QUALITY_SCALE, _COST_SCALE = 0.05, 0.1, 0.5
#: The largest exponent before `exp` overflows.
_MAX_EXPONENT = 700.0


@dataclass(frozen=True, slots=True)
class SampleStats:
    """The size, the mean and the unbiased variance of a sample."""

    n: int = 0
    mean: float = 0.0
    variance: float = 0.0

    @classmethod
    def of(cls, values: Sequence[float]) -> SampleStats:
        """Return the statistics of these values."""
        return cls.of_sums(len(values), sum(values), sum(value * value for value in values))

    @classmethod
    def of_sums(cls, n: int, total: float, squares: float) -> SampleStats:
        """Return the statistics of n values from their sum and the sum of their squares."""
        if n < 2:
            return cls(n, total if n else 0.0, 0.0)
        mean = total / n
        return cls(n, mean, max(0.0, (squares - n * mean * mean) / (n - 1)))

    @property
    def standard_error(self) -> float | None:
        """The standard error of the mean; None for fewer than two values."""
        return sqrt(self.variance / self.n) if self.n > 1 else None


@dataclass(frozen=True, slots=True)
class Arm:
    """The results of the requests that one of the two routers got.

    Attributes:
        failures: Statistics of failure, 0 or 1 for each ended request.
        cost: Statistics of the cost in dollars.
        quality: Statistics of the judged scores, 0 to 1.
        batches: The number of batches that its requests are of.
    """

    failures: SampleStats = SampleStats()
    cost: SampleStats = SampleStats()
    quality: SampleStats = SampleStats()
    batches: int = 0


def detect_regression(canary: Arm, champion: Arm) -> str | None:
    """Test whether the canary is significantly worse than the champion.

    The canary is worse if more of its requests fail, if they cost more than `MAX_COST_RATIO` times as much,
    or if their quality is lower by more than `QUALITY_MARGIN`. The function may be called at any time and any
    number of times; the rate of false alarms holds for all calls together.

    Returns:
        The first regression found, as a sentence with both means; None if there is none.
    """
    found = evidence(canary, champion)
    if _is_enough(found["failures"]):
        return (
            f"{canary.failures.mean:.1%} of its requests fail, {champion.failures.mean:.1%} of the champion's"
        )
    if _is_enough(found["cost"]):
        return _cost_text(canary.cost.mean, champion.cost.mean)
    if _is_enough(found["quality"]):
        return (
            f"judges give it {canary.quality.mean:.3f}, the champion {champion.quality.mean:.3f}"
            f" (up to {QUALITY_MARGIN} less is let pass)"
        )
    return None


def _cost_text(canary: float, champion: float) -> str:
    more = f"{canary / champion - 1:.0%} more than" if champion else "not"
    allowed = f"up to {MAX_COST_RATIO - 1:.0%} more is let pass"
    return f"a request costs ${canary:.6f}, {more} the champion's ${champion:.6f} ({allowed})"


def evidence(canary: Arm, champion: Arm) -> dict[str, float | None]:
    """Return the likelihood ratio of each signal: from 1 / `ALPHA` on, the canary is worse in it.

    It is 0 where the canary's mean is within what it may be, and None where a sample is too small.
    """
    return {
        "failures": _ratio(canary.failures, champion.failures, scale=_FAILURES_SCALE),
        "cost": _ratio(
            canary.cost, champion.cost, factor=MAX_COST_RATIO, scale=_COST_SCALE * champion.cost.mean
        ),
        "quality": _ratio(
            champion.quality, canary.quality, margin=QUALITY_MARGIN, scale=_QUALITY_SCALE, min_size=MIN_JUDGED
        ),
    }


def _is_enough(ratio: float | None) -> bool:
    return ratio is not None and ratio >= 1 / ALPHA


def _ratio(
    first: SampleStats,
    second: SampleStats,
    *,
    scale: float,
    factor: float = 1.0,
    margin: float = 0.0,
    min_size: int = MIN_REQUESTS,
) -> float | None:
    """Return the likelihood ratio of a first mean above `factor` times the second plus the margin.

    Args:
        first: The sample that may have the higher mean.
        second: The other sample.
        scale: The standard deviation of the mixture of alternatives.
        factor: The factor of the second mean.
        margin: The margin above it.
        min_size: The fewest values of each sample; with fewer there is none.
    """
    if min(first.n, second.n) < min_size:
        return None
    difference = first.mean - factor * second.mean - margin
    variance = _variance(first) / first.n + factor * factor * _variance(second) / second.n
    return _likelihood_ratio(difference, variance, scale * scale) if difference > 0 else 0.0


def _likelihood_ratio(difference: float, variance: float, mixture_variance: float) -> float:
    """Return the likelihood of the difference under a mixture of true effects, relative to that under none.

    The mixture is normal with mean 0.

    Args:
        difference: The observed difference.
        variance: The variance of its estimate.
        mixture_variance: The variance of the true effects.
    """
    total = variance + mixture_variance
    exponent = mixture_variance * difference * difference / (2 * variance * total)
    return sqrt(variance / total) * exp(min(_MAX_EXPONENT, exponent))


def _variance(sample: SampleStats) -> float:
    # A sample of equal values is no proof that the true variance is 0. The second term is the contribution of
    # one more value that differs from the mean by the mean; the last one covers a mean of 0.
    return sample.variance + sample.mean * sample.mean / sample.n + 1e-12
