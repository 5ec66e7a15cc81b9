"""The verdict on a canary: what was tested, and what the test waits for."""

from dataclasses import replace

from router_core.monitoring.canary import ALPHA, MIN_JUDGED, MIN_REQUESTS, Arm, SampleStats
from router_core.monitoring.canary_verdict import NO_WORSE, WAITING, WORSE, Signal, signals, verdict

REQUESTS, JUDGED = SampleStats(MIN_REQUESTS, 0.02, 0.02), SampleStats(MIN_JUDGED, 0.5, 0.1)
TESTED = Arm(REQUESTS, REQUESTS, JUDGED)


def states(canary: Arm, champion: Arm) -> list[str]:
    return [one.state for one in signals(canary, champion)]


def test_a_new_canary_waits_for_requests_and_judged_answers() -> None:
    assert states(Arm(), Arm()) == [WAITING] * 3
    assert verdict(Arm(), Arm()) == (
        "Too few requests to say: the test begins for failures and cost at 50 ended requests of each "
        "and quality at 30 judged answers of each."
    )
    assert [one.text for one in signals(Arm(), Arm())][1:] == ["waits for 50 of each", "waits for 30 of each"]


def test_what_is_tested_is_told_from_what_waits() -> None:
    unjudged = replace(TESTED, quality=replace(JUDGED, n=MIN_JUDGED - 1))
    assert states(unjudged, TESTED) == [NO_WORSE, NO_WORSE, WAITING]
    assert verdict(unjudged, TESTED) == (
        "No worse so far in failures and cost; the test begins for quality at 30 judged answers of each."
    )
    judged_only = Arm(quality=JUDGED)
    assert verdict(judged_only, TESTED) == (
        "No worse so far in quality; the test begins for failures and cost at 50 ended requests of each."
    )
    assert verdict(TESTED, TESTED) == "No worse so far in failures, cost and quality."


def test_a_worse_canary_is_called_so_with_the_reason() -> None:
    failing = replace(TESTED, failures=SampleStats(MIN_REQUESTS, 1.0, 0.0))
    assert states(failing, TESTED) == [WORSE, NO_WORSE, NO_WORSE]
    assert verdict(failing, TESTED) == (
        "Worse: 100.0% of its requests fail, 2.0% of the champion's. Upkeep rolls it back."
    )
    assert signals(failing, TESTED)[0].text == "worse: 999.00 of 100"


def test_a_signal_is_worse_from_the_ratio_on_that_the_test_rolls_back_at() -> None:
    found = [Signal("cost", REQUESTS, REQUESTS, ratio).state for ratio in (1 / ALPHA - 0.1, 1 / ALPHA)]
    assert found == [NO_WORSE, WORSE]


def test_a_standard_error_needs_two_values() -> None:
    assert SampleStats.of([0.5]).standard_error is None
    assert SampleStats.of([0.0, 1.0]).standard_error == 0.5
