"""Each policy is compared with kNN alone, and kNN is named where it is ahead."""

from __future__ import annotations

import pytest

from router_core.evaluation.knn_comparison import KnnComparison, knn_comparisons
from router_core.evaluation.metrics.bootstrap import EstimateWithError
from tests.support.outcomes import always, make_outcomes


def test_the_difference_is_paired_by_prompt() -> None:
    outcomes = make_outcomes([[0, 1], [1, 0], [1, 1], [0, 1]], [1, 3])
    strategies = {
        "router: saving": always(0, 0, 0, 0, models=2),
        "kNN": always(1, 0, 0, 1, models=2),
        "random": always(1, 1, 1, 1, models=2),
    }
    [found] = knn_comparisons(outcomes, strategies)
    assert found.policy == "saving"
    assert found.gain.value == pytest.approx(-0.5)
    assert 0 < found.gain.error < 0.5
    assert found.to_dict()["ahead"] is True


def test_without_knn_nothing_is_compared() -> None:
    assert knn_comparisons(make_outcomes([[0, 1]], [1, 3]), {"router: saving": always(0, models=2)}) == ()


@pytest.mark.parametrize(("gain", "is_ahead"), [(-0.02, True), (-0.005, False), (0.02, False)])
def test_knn_is_named_where_it_is_ahead_by_more_than_an_error(gain: float, is_ahead: bool) -> None:
    found = KnnComparison("quality", EstimateWithError(gain, 0.01))
    sentence = "kNN alone is better than policy quality by 0.0200 ± 0.0100, prompt by prompt"
    assert found.note() == (sentence if is_ahead else None)
