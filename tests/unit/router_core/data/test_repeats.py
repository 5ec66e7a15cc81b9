"""Repeated rows of a prompt are averaged, and weighed by the variance of their mean."""

from dataclasses import replace

import numpy as np
import pytest

from router_core.data.labelled_prompts import LabelledPrompt
from router_core.data.repeats import averaged, noise_of, repeat_weights, repeated_rows


def row(name: str, **scores: float) -> LabelledPrompt:
    return LabelledPrompt(name, f"prompt {name}", None, None, scores)


def test_rows_are_repeats_if_both_id_and_text_are_equal() -> None:
    rows = [row("a", m=1), row("b", m=1), row("a", m=0), replace(row("a", m=0), id="c")]
    assert [own.tolist() for own in repeated_rows(rows)] == [[0, 2], [1], [3]]


def test_scores_costs_and_lengths_are_averaged_over_the_repeats_that_have_them() -> None:
    rows = [
        replace(row("a", m=1, n=0), costs={"m": 2.0}, tokens={"m": 10}),
        replace(row("a", m=0), costs={"m": 4.0}),
        row("b", m=1),
    ]
    first, second = averaged(rows, repeated_rows(rows), np.ones(3))
    assert first.scores == {"m": 0.5, "n": 0.0}
    assert (first.costs, first.tokens) == ({"m": 3.0}, {"m": 10.0})
    assert second == rows[2]


def test_noise_is_the_variance_within_prompts() -> None:
    random = np.random.default_rng(0)
    means = random.normal(size=(300, 1, 2))
    scores = (means + 0.5 * random.normal(size=(300, 3, 2))).reshape(900, 2)
    repeats = [np.arange(3) + 3 * prompt for prompt in range(300)]
    assert noise_of(scores, repeats) == pytest.approx(0.25, rel=0.1)
    assert noise_of(scores[:3], [np.array([0]), np.array([1])]) is None


def test_the_mean_of_many_noisy_scores_counts_more_and_of_certain_ones_no_more() -> None:
    noisy = [row("a", m=0), row("a", m=1), row("a", m=1), row("a", m=0), row("b", m=1), row("c", m=0)]
    weights = repeat_weights(noisy, repeated_rows(noisy), np.ones(6))
    assert weights[0] > 2 * weights[1]
    assert weights[0] <= 4.0
    assert weights[1] == weights[2] == 1.0
    certain = [row("a", m=1), row("a", m=1), row("b", m=0)]
    assert repeat_weights(certain, repeated_rows(certain), np.ones(3)).tolist() == [1.0, 1.0]


def test_repeats_count_by_their_own_weights() -> None:
    rows = [row("a", m=1), row("a", m=0), row("b", m=1)]
    weights = np.array([3.0, 1.0, 2.0])
    assert averaged(rows, repeated_rows(rows), weights)[0].scores == {"m": 0.75}
    same = [row("a", m=1), row("a", m=1), row("b", m=0)]
    assert repeat_weights(same, repeated_rows(same), weights).tolist() == [2.5, 2.0]
    assert averaged(rows, repeated_rows(rows), np.zeros(3))[0].scores == {"m": 0.5}
