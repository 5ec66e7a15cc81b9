"""The paired comparison of two routers on prompts with known scores."""

import pytest

from router_core.data.labelled_prompts import LabelledPrompt
from router_core.evaluation.paired_comparison import compare


def row(number: int, category: str | None = None, **scores: float) -> LabelledPrompt:
    costs = {"cheap": 0.1, "dear": 1.0}
    return LabelledPrompt(f"r{number}", f"prompt {number}", category, None, scores, costs)


def test_the_gain_is_the_mean_difference_of_the_chosen_models_scores() -> None:
    rows = [
        row(n, "coding" if n % 2 else "reasoning", cheap=0.4, dear=0.4 + (n % 2) * 0.4) for n in range(200)
    ]
    comparison = compare(rows, ["cheap"] * 200, ["dear"] * 200)
    assert comparison is not None
    assert comparison.overall.gain == pytest.approx(0.2)
    assert comparison.overall.standard_error == pytest.approx(0.2 / 200**0.5, rel=0.1)
    assert (comparison.overall.champion_cost, comparison.overall.challenger_cost) == (
        pytest.approx(0.1),
        pytest.approx(1.0),
    )
    gains = {name: one.gain for name, one in comparison.by_category.items()}
    assert gains == {"coding": pytest.approx(0.4), "reasoning": pytest.approx(0)}


def test_prompts_without_the_score_of_a_chosen_model_are_left_out_and_counted() -> None:
    rows = [row(1, cheap=0.1, dear=0.9), row(2, cheap=0.5)]
    comparison = compare(rows, ["cheap", "cheap"], ["dear", "dear"])
    assert comparison is not None
    assert (comparison.overall.prompts, comparison.unscored) == (1, 1)
    assert compare(rows[1:], ["cheap"], ["dear"]) is None


def test_repeated_rows_of_a_prompt_do_not_lower_the_standard_error() -> None:
    single = [row(n, cheap=0.0, dear=float(n % 2)) for n in range(50)]
    once, copied = (
        compare(single, ["cheap"] * 50, ["dear"] * 50),
        compare(single * 9, ["cheap"] * 450, ["dear"] * 450),
    )
    assert once is not None
    assert copied is not None
    assert copied.overall.standard_error == pytest.approx(once.overall.standard_error)
