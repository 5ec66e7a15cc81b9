"""The sequential test of a canary: regressions are detected, and repeated looks raise few false alarms."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from router_core.monitoring.canary import MIN_JUDGED, MIN_REQUESTS, Arm, SampleStats, detect_regression


def shares(n: int, failed: int) -> SampleStats:
    return SampleStats.of_sums(n, failed, failed)


def test_nothing_is_detected_with_too_few_requests() -> None:
    few = Arm(failures=shares(MIN_REQUESTS - 1, MIN_REQUESTS - 1))
    assert detect_regression(few, Arm(failures=shares(1000, 0))) is None
    assert detect_regression(Arm(), Arm()) is None


def test_a_higher_failure_rate_is_detected() -> None:
    reason = detect_regression(Arm(failures=shares(100, 30)), Arm(failures=shares(900, 9)))
    assert reason == "30.0% of its requests fail, 1.0% of the champion's"
    assert detect_regression(Arm(failures=shares(100, 2)), Arm(failures=shares(900, 9))) is None
    assert detect_regression(Arm(failures=shares(100, 0)), Arm(failures=shares(900, 300))) is None


def test_a_cost_is_detected_beyond_the_allowed_ratio_only() -> None:
    champion = Arm(cost=SampleStats(900, 0.001, 1e-7))
    assert detect_regression(Arm(cost=SampleStats(200, 0.0014, 1e-7)), champion) is None
    assert detect_regression(Arm(cost=SampleStats(200, 0.003, 1e-7)), champion) == (
        "a request costs $0.003000, 200% more than the champion's $0.001000 (up to 50% more is let pass)"
    )


def test_a_lower_judged_quality_is_detected() -> None:
    champion, canary = Arm(quality=SampleStats(400, 0.62, 0.04)), Arm(quality=SampleStats(120, 0.45, 0.04))
    assert detect_regression(canary, champion) == (
        "judges give it 0.450, the champion 0.620 (up to 0.02 less is let pass)"
    )
    assert detect_regression(champion, canary) is None


def test_statistics_are_computed_from_sums() -> None:
    sample = SampleStats.of_sums(4, 10.0, 30.0)
    assert (sample.n, sample.mean) == (4, 2.5)
    assert sample.variance == pytest.approx(5 / 3)
    assert SampleStats.of_sums(0, 0.0, 0.0) == SampleStats()


def judged(values: np.ndarray) -> SampleStats:
    return SampleStats.of(values.tolist())


def first_alarm(canary: np.ndarray, champion: np.ndarray, *, share: float, every: int = 5) -> int | None:
    """Return the number of judged answers at the first alarm, with a look after every `every` of them.

    share: the canary's share of all judged answers.
    """
    for n in range(every, len(canary) + 1, every):
        until_now = champion[: int(n * (1 - share) / share)]
        if detect_regression(Arm(quality=judged(canary[:n])), Arm(quality=judged(until_now))):
            return n
    return None


def test_repeated_looks_at_a_difference_of_the_margin_raise_few_false_alarms() -> None:
    random = np.random.default_rng(0)
    alarms = 0
    for _ in range(200):
        champion = (random.random(2_000) < 0.52).astype(float)
        alarms += first_alarm((random.random(500) < 0.5).astype(float), champion, share=0.2) is not None
    assert alarms <= 4


def test_a_clearly_lower_quality_is_detected_soon() -> None:
    random = np.random.default_rng(1)
    alarms = []
    for _ in range(50):
        champion = (random.random(2_000) < 0.6).astype(float)
        alarms.append(first_alarm((random.random(500) < 0.3).astype(float), champion, share=0.2))
    assert [alarm for alarm in alarms if alarm is None or alarm < MIN_JUDGED] == []
    assert np.median(np.array(alarms, dtype=float)) < 150


def test_a_difference_within_the_margin_or_of_few_judged_answers_is_not_detected() -> None:
    champion = Arm(quality=SampleStats(10**6, 0.50, 0.01))
    assert detect_regression(Arm(quality=SampleStats(10**6, 0.49, 0.01)), champion) is None
    assert detect_regression(Arm(quality=SampleStats(10**6, 0.47, 0.01)), champion) is not None
    assert detect_regression(Arm(quality=SampleStats(MIN_JUDGED - 1, 0.0, 0.0)), champion) is None


@given(
    st.tuples(st.integers(0, 10**6), st.floats(0, 1), st.floats(0, 0.25)),
    st.tuples(st.integers(0, 10**6), st.floats(0, 1), st.floats(0, 0.25)),
)
def test_two_arms_are_never_worse_than_each_other(
    first: tuple[int, float, float], second: tuple[int, float, float]
) -> None:
    one, other = Arm(quality=SampleStats(*first)), Arm(quality=SampleStats(*second))
    assert not (detect_regression(one, other) and detect_regression(other, one))
