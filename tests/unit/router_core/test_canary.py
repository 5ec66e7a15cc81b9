import pytest

from router_core.canary import MIN_REQUESTS, Arm, Sample, what_got_worse


def shares(n: int, failed: int) -> Sample:
    return Sample.of_sums(n, failed, failed)


def test_nothing_is_said_before_there_is_enough_to_see() -> None:
    few = Arm(failures=shares(MIN_REQUESTS - 1, MIN_REQUESTS - 1))
    assert what_got_worse(few, Arm(failures=shares(1000, 0))) is None
    assert what_got_worse(Arm(), Arm()) is None


def test_a_canary_whose_requests_fail_is_named() -> None:
    reason = what_got_worse(Arm(failures=shares(100, 30)), Arm(failures=shares(900, 9)))
    assert reason == "30.0% of its requests fail, 1.0% of the champion's"
    assert what_got_worse(Arm(failures=shares(100, 2)), Arm(failures=shares(900, 9))) is None
    assert what_got_worse(Arm(failures=shares(100, 0)), Arm(failures=shares(900, 300))) is None


def test_a_canary_may_cost_somewhat_more_but_not_any_price() -> None:
    champion = Arm(cost=Sample(900, 0.001, 1e-7))
    assert what_got_worse(Arm(cost=Sample(200, 0.0014, 1e-7)), champion) is None
    assert "costs $0.003000" in str(what_got_worse(Arm(cost=Sample(200, 0.003, 1e-7)), champion))


def test_judges_who_prefer_the_champion_end_a_canary() -> None:
    champion, canary = Arm(quality=Sample(400, 0.62, 0.04)), Arm(quality=Sample(120, 0.45, 0.04))
    assert what_got_worse(canary, champion) == "judges give it 0.450, the champion 0.620"
    assert what_got_worse(champion, canary) is None


def test_a_sample_is_what_its_sums_say() -> None:
    sample = Sample.of_sums(4, 10.0, 30.0)
    assert (sample.n, sample.mean) == (4, 2.5)
    assert sample.variance == pytest.approx(5 / 3)
    assert Sample.of_sums(0, 0.0, 0.0) == Sample()
