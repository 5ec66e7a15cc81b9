"""Which models are left out for a request, and why."""

from __future__ import annotations

import pytest

from tasks.capabilities.capabilities import Capabilities, Demand, explanation_of
from tasks.capabilities.least_tokens import least_tokens, likely_tokens
from tasks.capabilities.left_out import left_out, refusal

BLIND = Capabilities(cannot=frozenset({"image", "audio"}))
SIGHTED = Capabilities(extra=frozenset({"top_k"}))
SMALL = Capabilities(context_window=8_000, max_output=4_000, answer_tokens=1_000)
LARGE = Capabilities(context_window=100_000, answer_tokens=1_000)


def demand(*needs: str, output: int | None = None, least: int = 0, likely: int = 0) -> Demand:
    return Demand(frozenset(needs), output, least, likely)


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (demand(), {}),
        (demand("image"), {"blind": "image"}),
        (demand("image", "audio"), {"blind": "audio"}),
        (demand("video"), {}),
        (demand("+top_k"), {"blind": "+top_k", "small": "+top_k", "large": "+top_k"}),
        (demand(output=4_000), {}),
        (demand(output=4_001), {"small": "max_output"}),
        (demand(least=8_001, likely=50_000), {"small": "context_window"}),
    ],
)
def test_a_model_is_left_out_for_what_it_cannot(wanted: Demand, expected: dict[str, str]) -> None:
    models = {"blind": BLIND, "sighted": SIGHTED, "small": SMALL, "large": LARGE}
    assert left_out(wanted, models) == expected


def test_a_request_that_is_probably_too_long_goes_to_a_model_that_it_fits() -> None:
    long = demand(least=2_000, likely=7_500)
    assert left_out(long, {"small": SMALL, "large": LARGE}) == {"small": "context_window"}
    assert left_out(long, {"small": SMALL}) == {}
    assert left_out(demand(least=2_000, likely=7_000), {"small": SMALL, "large": LARGE}) == {}


def test_an_answers_limit_takes_part_of_the_context_window() -> None:
    assert left_out(demand(output=3_000, likely=6_000), {"small": SMALL, "large": LARGE}) == {
        "small": "context_window"
    }


def test_a_refusal_names_each_model_and_what_it_lacks() -> None:
    assert refusal({"m": "image"}, named=True) == "the model m takes no images"
    assert refusal({"a": "context_window", "b": "+top_k"}, named=False) == (
        "no model can answer it: a has too small a context window, b has no top_k in its extra_params"
    )
    assert explanation_of("max_output") == "has a lower output limit"


def test_capabilities_are_stored_and_read_again() -> None:
    for one in (Capabilities(), BLIND, SIGHTED, SMALL, Capabilities(routed=False)):
        assert Capabilities.from_row(one.as_row()) == one
    assert Capabilities.from_row({**SMALL.as_row(), "newer": 1}) == SMALL


@pytest.mark.parametrize(
    ("text", "tokens"),
    # As counted by the tokenizer of GPT-4 (cl100k_base).
    [
        ("word " * 1_000, 1_001),
        (" internationalization" * 500, 1_000),
        ("一" * 1_000, 1_000),
        ("a" * 4_000, 500),
    ],
)
def test_no_tokenizer_makes_fewer_tokens_than_the_least(text: str, tokens: int) -> None:
    assert least_tokens(text) <= tokens


@pytest.mark.parametrize("text", [" " * 100_000, "\n" * 100_000, "\\n\\t" * 50_000, "-" * 100_000, ""])
def test_spaces_and_repetitions_count_for_nearly_nothing(text: str) -> None:
    assert least_tokens(text) <= 1


def test_data_of_an_image_is_no_text() -> None:
    assert least_tokens("question " + "AbCd" * 10_000, no_text=40_000) == 0
    assert likely_tokens(9) == 3
