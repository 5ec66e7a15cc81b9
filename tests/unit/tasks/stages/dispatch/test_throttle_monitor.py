from random import Random

from tasks.stages.dispatch.throttle_monitor import ThrottleMonitor


def answered(refusals: ThrottleMonitor, calls: int) -> None:
    for _ in range(calls):
        refusals.note("small", refused=False)


def test_a_first_call_that_is_refused_lets_the_model_rest() -> None:
    assert ThrottleMonitor().note("small", refused=True)


def test_one_refusal_among_answers_is_that_requests_own() -> None:
    refusals = ThrottleMonitor()
    answered(refusals, 20)
    assert not refusals.note("small", refused=True)


def test_six_refusals_in_a_row_let_the_model_rest_and_answers_end_it() -> None:
    refusals = ThrottleMonitor()
    answered(refusals, 100)
    assert [refusals.note("small", refused=True) for _ in range(6)] == [False] * 5 + [True]
    answered(refusals, 1)
    assert not refusals.note("small", refused=False)


def test_models_are_counted_apart() -> None:
    refusals = ThrottleMonitor()
    answered(refusals, 100)
    assert refusals.note("large", refused=True)
    assert not refusals.note("small", refused=True)


def test_five_percent_at_random_hardly_ever_stop_a_model() -> None:
    refusals, random = ThrottleMonitor(), Random(5)
    answered(refusals, 20)
    rests = sum(refusals.note("small", refused=random.random() < 0.05) for _ in range(10_000))
    assert rests < 10
