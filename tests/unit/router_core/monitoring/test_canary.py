import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from router_core.monitoring.canary import MIN_JUDGED, MIN_REQUESTS, Arm, SampleStats, detect_regression


def shares(n: int, failed: int) -> SampleStats:
    return SampleStats.of_sums(n, failed, failed)


def test_nothing_is_said_before_there_is_enough_to_see() -> None:
    few = Arm(failures=shares(MIN_REQUESTS - 1, MIN_REQUESTS - 1))
    assert detect_regression(few, Arm(failures=shares(1000, 0))) is None
    assert detect_regression(Arm(), Arm()) is None


def test_a_canary_whose_requests_fail_is_named() -> None:
    reason = detect_regression(Arm(failures=shares(100, 30)), Arm(failures=shares(900, 9)))
    assert reason == "30.0% of its requests fail, 1.0% of the champion's"
    assert detect_regression(Arm(failures=shares(100, 2)), Arm(failures=shares(900, 9))) is None
    assert detect_regression(Arm(failures=shares(100, 0)), Arm(failures=shares(900, 300))) is None


def test_a_canary_may_cost_somewhat_more_but_not_any_price() -> None:
    champion = Arm(cost=SampleStats(900, 0.001, 1e-7))
    assert detect_regression(Arm(cost=SampleStats(200, 0.0014, 1e-7)), champion) is None
    assert "costs $0.003000" in str(detect_regression(Arm(cost=SampleStats(200, 0.003, 1e-7)), champion))


def test_judges_who_prefer_the_champion_end_a_canary() -> None:
    champion, canary = Arm(quality=SampleStats(400, 0.62, 0.04)), Arm(quality=SampleStats(120, 0.45, 0.04))
    assert detect_regression(canary, champion) == "judges give it 0.450, the champion 0.620"
    assert detect_regression(champion, canary) is None


def test_a_sample_is_what_its_sums_say() -> None:
    sample = SampleStats.of_sums(4, 10.0, 30.0)
    assert (sample.n, sample.mean) == (4, 2.5)
    assert sample.variance == pytest.approx(5 / 3)
    assert SampleStats.of_sums(0, 0.0, 0.0) == SampleStats()


def judged(values: np.ndarray) -> SampleStats:
    return SampleStats.of(values.tolist())


def first_alarm(canary: np.ndarray, champion: np.ndarray, *, share: float, every: int = 5) -> int | None:
    """The look at which a canary of these judged scores is ended, where one looks again and again."""
    for n in range(every, len(canary) + 1, every):
        beside = champion[: int(n * (1 - share) / share)]
        if detect_regression(Arm(quality=judged(canary[:n])), Arm(quality=judged(beside))):
            return n
    return None


def test_looking_again_and_again_raises_hardly_a_false_alarm_at_the_margin() -> None:
    random = np.random.default_rng(0)
    alarms = 0
    for _ in range(200):
        champion = (random.random(2_000) < 0.52).astype(float)
        alarms += first_alarm((random.random(500) < 0.5).astype(float), champion, share=0.2) is not None
    assert alarms <= 4


def test_a_canary_that_judges_like_clearly_less_is_ended_soon() -> None:
    random = np.random.default_rng(1)
    looks = []
    for _ in range(50):
        champion = (random.random(2_000) < 0.6).astype(float)
        looks.append(first_alarm((random.random(500) < 0.3).astype(float), champion, share=0.2))
    assert all(look is not None and look >= MIN_JUDGED for look in looks)
    assert np.median(np.array(looks, dtype=float)) < 150


def test_a_canary_within_the_margin_goes_on_and_a_few_judged_answers_say_nothing() -> None:
    champion = Arm(quality=SampleStats(10**6, 0.50, 0.01))
    assert detect_regression(Arm(quality=SampleStats(10**6, 0.49, 0.01)), champion) is None
    assert detect_regression(Arm(quality=SampleStats(10**6, 0.47, 0.01)), champion) is not None
    assert detect_regression(Arm(quality=SampleStats(MIN_JUDGED - 1, 0.0, 0.0)), champion) is None


@given(
    st.tuples(st.integers(0, 10**6), st.floats(0, 1), st.floats(0, 0.25)),
    st.tuples(st.integers(0, 10**6), st.floats(0, 1), st.floats(0, 0.25)),
)
def test_never_are_both_sides_worse(
    first: tuple[int, float, float], second: tuple[int, float, float]
) -> None:
    one, other = Arm(quality=SampleStats(*first)), Arm(quality=SampleStats(*second))
    assert not (detect_regression(one, other) and detect_regression(other, one))
