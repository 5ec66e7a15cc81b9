"""Expected lengths of answers by model and kind of prompt."""

import numpy as np
import pytest

from router_core.predictors.answer_tokens import AnswerTokens, ExpectedAnswers

NAN = float("nan")


def kinds(count: int) -> np.ndarray:
    """Return the probabilities of prompts of two kinds, in turn."""
    return np.eye(2, dtype=np.float32)[np.arange(count) % 2]


def test_the_length_follows_the_model_and_the_kind() -> None:
    tokens = np.array([[2.0, 100.0], [400.0, 300.0]] * 200)
    fitted = AnswerTokens.fit(kinds(400), tokens)
    assert fitted is not None
    np.testing.assert_allclose(fitted.predict(kinds(2)), [[2, 100], [400, 300]], rtol=0.03, atol=6)


def test_a_kind_with_few_answers_is_near_the_mean_of_its_model() -> None:
    tokens = np.full((100, 1), 50.0)
    tokens[1::2] = NAN
    tokens[1] = 500.0
    fitted = AnswerTokens.fit(kinds(100), tokens)
    assert fitted is not None
    few = fitted.predict(kinds(2))[1, 0]
    assert 50 < few < 200


def test_nine_answers_in_ten_are_below_the_high_end_of_the_interval() -> None:
    random = np.random.default_rng(0)
    tokens = random.lognormal(4, 0.7, (2000, 2))
    fitted = AnswerTokens.fit(kinds(2000), tokens)
    assert fitted is not None
    fresh, expected = random.lognormal(4, 0.7, (2000, 2)), fitted.predict(kinds(2000))
    low, high = fitted.interval
    np.testing.assert_allclose((fresh < high * expected).mean(axis=0), 0.9, atol=0.03)
    np.testing.assert_allclose((fresh < low * expected).mean(axis=0), 0.1, atol=0.03)


def test_a_model_with_too_few_answers_is_unknown_and_takes_the_default() -> None:
    tokens = np.full((20, 2), NAN)
    tokens[:, 0] = 10.0
    tokens[:3, 1] = 99.0
    fitted = AnswerTokens.fit(kinds(20), tokens)
    assert fitted is not None
    answers = ExpectedAnswers(fitted.predict(kinds(1)), fitted.interval)
    assert answers.or_else([200, 300]).tolist() == [[pytest.approx(10.0), 300.0]]
    assert set(fitted.record(["a", "b"], ["x", "y"])) == {"a"}
    assert AnswerTokens.fit(kinds(3), tokens[:3]) is None


def test_without_kinds_there_is_one_for_all() -> None:
    fitted = AnswerTokens.fit(np.zeros((10, 0), dtype=np.float32), np.full((10, 1), 7.0))
    assert fitted is not None
    assert fitted.predict(np.zeros((2, 0), dtype=np.float32)).tolist() == [[7.0], [7.0]]
    assert fitted.record(["a"], []) == {"a": {"all": {"expected": 7, "low": 7, "high": 7}}}


def test_arrays_give_the_same_lengths_again() -> None:
    fitted = AnswerTokens.fit(kinds(40), np.arange(80.0).reshape(40, 2))
    assert fitted is not None
    again = AnswerTokens.from_arrays(fitted.arrays())
    np.testing.assert_array_equal(again.predict(kinds(4)), fitted.predict(kinds(4)))
