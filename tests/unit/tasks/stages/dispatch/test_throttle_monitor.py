"""The monitor of refused calls (429)."""

from random import Random

from tasks.stages.dispatch.model_health import ThrottleMonitor


def note_answers(monitor: ThrottleMonitor, calls: int) -> None:
    for _ in range(calls):
        monitor.note("small", refused=False)


def test_a_first_call_that_is_refused_pauses_the_model() -> None:
    assert ThrottleMonitor().note("small", refused=True)


def test_one_refusal_among_answers_is_that_requests_own() -> None:
    monitor = ThrottleMonitor()
    note_answers(monitor, 20)
    assert not monitor.note("small", refused=True)


def test_six_refusals_in_a_row_pause_the_model_and_answers_end_it() -> None:
    monitor = ThrottleMonitor()
    note_answers(monitor, 100)
    assert [monitor.note("small", refused=True) for _ in range(6)] == [False] * 5 + [True]
    note_answers(monitor, 1)
    assert not monitor.note("small", refused=False)


def test_models_are_counted_apart() -> None:
    monitor = ThrottleMonitor()
    note_answers(monitor, 100)
    assert monitor.note("large", refused=True)
    assert not monitor.note("small", refused=True)


def test_five_percent_at_random_hardly_ever_stop_a_model() -> None:
    monitor, random = ThrottleMonitor(), Random(5)
    note_answers(monitor, 20)
    pauses = sum(monitor.note("small", refused=random.random() < 0.05) for _ in range(10_000))
    assert pauses < 10
