import numpy as np
import pytest

from router_core.policy.uncertainty import margin_uncertainty


def test_uncertainty_falls_with_the_gap_between_the_two_highest_scores() -> None:
    predicted = np.array([[0.5, 0.5, 0.1], [0.6, 0.5, 0.5], [0.9, 0.1, 0.5]])
    found = margin_uncertainty(predicted, score_range=1.0)
    assert found[0] == 1.0
    assert found[1] == pytest.approx(np.exp(-1))
    assert found[2] < 0.05
    assert margin_uncertainty(predicted * 100, score_range=100.0) == pytest.approx(found)


def test_a_prompt_with_a_score_of_only_one_model_has_no_uncertainty() -> None:
    assert margin_uncertainty(np.array([[0.5], [0.6]]), score_range=1.0).tolist() == [0.0, 0.0]
    assert margin_uncertainty(np.array([[0.5, np.nan]]), score_range=1.0).tolist() == [0.0]
