"""Usage blocks of all providers are read into the same kinds, and every token counts once."""

from __future__ import annotations

from typing import Any

import pytest

from router_core.pricing import Usage
from tests.support.usage_blocks import DETAILS, openai, thoughts, usage_in


@pytest.mark.parametrize(
    ("block", "expected"),
    [
        pytest.param(openai(), Usage(input=100, output=50), id="plain"),
        pytest.param(openai(100.0, "50", 150.0), Usage(input=100, output=50), id="floats_and_text"),
        pytest.param(openai(99.2, 49.5), Usage(input=100, output=50), id="fractions_are_rounded_up"),
        pytest.param(
            openai(total=150, prompt_tokens_details=None, completion_tokens_details=None),
            Usage(input=100, output=50),
            id="null_details",
        ),
        pytest.param(
            openai(total=150, prompt_tokens_details={"cached_tokens": None}, **thoughts(None)),
            Usage(input=100, output=50),
            id="null_counts",
        ),
        pytest.param(openai(total=0), Usage(input=100, output=50), id="a_total_of_zero_is_none"),
        pytest.param(openai(total=120), Usage(input=100, output=50), id="a_total_below_its_parts_is_none"),
        pytest.param(openai(completion=None, total=150), Usage(input=100, output=50), id="no_completion"),
        pytest.param(openai(prompt=None, total=150), Usage(input=100, output=50), id="no_prompt"),
        pytest.param(openai(prompt=0, total=150), Usage(input=100, output=50), id="a_prompt_of_zero"),
        pytest.param(
            openai(completion=0, total=150), Usage(input=100, unexplained=50), id="a_completion_of_zero"
        ),
        pytest.param(
            {"input_tokens": 100, "output_tokens": 50, "total_tokens": 150,
             "input_tokens_details": {"cached_tokens": 40},
             "output_tokens_details": {"reasoning_tokens": 30}},
            Usage(input=60, cached_input=40, output=20, reasoning=30),
            id="responses_api",
        ),
    ],
)  # fmt: skip
def test_totals_are_read_however_they_are_written(block: dict[str, Any], expected: Usage) -> None:
    assert usage_in(block) == expected


@pytest.mark.parametrize(
    ("total", "reasoning", "expected"),
    [
        pytest.param(150, 20, Usage(input=100, output=30, reasoning=20), id="inside"),
        pytest.param(170, 20, Usage(input=100, output=50, reasoning=20), id="beside"),
        pytest.param(None, 20, Usage(input=100, output=30, reasoning=20), id="inside_without_a_total"),
        pytest.param(None, 500, Usage(input=100, output=50, reasoning=500), id="more_than_the_answer"),
        pytest.param(150, 500, Usage(input=100, output=50, reasoning=500), id="more_than_the_total"),
        pytest.param(157, 20, Usage(input=100, output=30, reasoning=20, unexplained=7), id="a_few_too_many"),
        pytest.param(
            677,
            500,
            Usage(input=100, output=50, reasoning=500, unexplained=27),
            id="beside_and_a_few_too_many",
        ),
        pytest.param(650, None, Usage(input=100, output=50, unexplained=500), id="unnamed"),
    ],
)
def test_the_total_tells_whether_thoughts_stand_beside_the_answer(
    total: int | None, reasoning: int | None, expected: Usage
) -> None:
    assert usage_in(openai(total=total, **thoughts(reasoning))) == expected
    assert usage_in(openai(total=total, reasoning_tokens=reasoning)) == expected


@pytest.mark.parametrize(
    ("block", "expected"),
    [
        pytest.param(
            openai(1000, 10, 1010, cache_creation_input_tokens=1000, **{
                DETAILS: {"cached_tokens": 0, "cache_creation_tokens": 1000},
            }),
            Usage(cache_write=1000, output=10),
            id="writes_inside_named_twice",
        ),
        pytest.param(
            openai(1000, 10, 1010, **{DETAILS: {"cached_tokens": 300, "cache_write_tokens": 200}}),
            Usage(input=500, cached_input=300, cache_write=200, output=10),
            id="openai_writes",
        ),
        pytest.param(
            openai(100, 10, 910, cache_read_input_tokens=800),
            Usage(input=100, cached_input=800, output=10),
            id="reads_beside",
        ),
        pytest.param(
            openai(100, 10, None, cache_read_input_tokens=800),
            Usage(input=100, cached_input=800, output=10),
            id="more_reads_than_input",
        ),
        pytest.param(
            openai(300, 10, 500, cache_creation_input_tokens=190, **thoughts(0)),
            Usage(input=300, cache_write=190, output=10),
            id="writes_beside",
        ),
        pytest.param(
            openai(300, 10, 700, cache_creation_input_tokens=190, **thoughts(200)),
            Usage(input=300, cache_write=190, output=10, reasoning=200),
            id="writes_and_thoughts_beside",
        ),
        pytest.param(
            openai(prompt_cache_hit_tokens=64, prompt_cache_miss_tokens=36),
            Usage(input=36, cached_input=64, output=50),
            id="deepseek",
        ),
        pytest.param(openai(cached_tokens=64), Usage(input=36, cached_input=64, output=50), id="moonshot"),
        pytest.param(
            openai(cache_creation_input_tokens=30, **{DETAILS: {
                "cache_creation_token_details": {
                    "ephemeral_5m_input_tokens": 10, "ephemeral_1h_input_tokens": 20,
                },
            }}),
            Usage(input=70, cache_write=10, cache_write_1h=20, output=50),
            id="litellm_spans",
        ),
        pytest.param(
            {"input_tokens": 12, "output_tokens": 50, "cache_read_input_tokens": 500,
             "cache_creation_input_tokens": 100, "cache_creation": {"ephemeral_1h_input_tokens": 60}},
            Usage(input=12, cached_input=500, cache_write=40, cache_write_1h=60, output=50),
            id="anthropic",
        ),
        pytest.param(
            {"input_tokens": 0, "output_tokens": 5, "cache_read_input_tokens": 500},
            Usage(cached_input=500, output=5),
            id="anthropic_all_cached",
        ),
        pytest.param(
            {"input_tokens": 1, "output_tokens": 1, "iterations": [
                {"input_tokens": 10, "output_tokens": 20, "cache_read_input_tokens": 5},
                {"input_tokens": 30, "output_tokens": 40, "cache_creation_input_tokens": 6},
            ]},
            Usage(input=40, cached_input=5, cache_write=6, output=60),
            id="anthropic_iterations",
        ),
        pytest.param(
            {"inputTokens": 20, "outputTokens": 10, "totalTokens": 530, "cacheReadInputTokens": 400,
             "cacheWriteInputTokens": 100},
            Usage(input=20, cached_input=400, cache_write=100, output=10),
            id="bedrock",
        ),
        pytest.param(
            {"inputTokens": 20, "outputTokens": 10, "totalTokens": 30, "cacheWriteInputTokenCount": 100,
             "cacheDetails": [{"ttl": "1h", "inputTokens": 60}, {"ttl": "5m", "inputTokens": 40}]},
            Usage(input=20, cache_write=40, cache_write_1h=60, output=10),
            id="bedrock_spans_and_a_total_without_the_cache",
        ),
    ],
)  # fmt: skip
def test_cached_input_counts_once_inside_or_beside_the_rest(block: dict[str, Any], expected: Usage) -> None:
    assert usage_in(block) == expected


@pytest.mark.parametrize(
    "block",
    [
        None, {}, [], "many", 7,
        openai(prompt=-1), openai(completion=-5), openai(total=-1),
        openai(prompt=10**9), openai(completion=1e300), openai(total=10**18),
        openai(prompt="many"), openai(prompt=[1]), openai(prompt=True), openai(prompt=float("nan")),
        openai(prompt=None), openai(completion=None), openai(prompt=0), openai(completion=0),
        openai(completion=0, total=100), openai(prompt=None, completion=None, total=150),
        openai(**thoughts(-3)), openai(**thoughts("some")), openai(**thoughts(5_000_000)),
        openai(prompt_tokens_details={"cached_tokens": -1}), openai(cache_creation_input_tokens=-1),
        openai(num_search_queries=-1), openai(cost=-1), openai(cost=1e9),
        {"input_tokens": 20}, {"promptTokenCount": 20}, {"inputTokens": 20},
    ],
    ids=str,
)  # fmt: skip
def test_a_block_that_cannot_be_believed_is_unknown(block: Any) -> None:
    assert usage_in(block) is None


def test_no_more_can_be_written_than_the_limit_but_thoughts_are_not_bound_by_it() -> None:
    assert usage_in(openai(), limit=50) == Usage(input=100, output=50)
    assert usage_in(openai(), limit=49) is None
    assert usage_in(openai(100, 550, 650, **thoughts(500)), limit=50) == Usage(
        input=100, output=50, reasoning=500
    )
    assert usage_in(openai(100, 50, 650, **thoughts(500)), limit=50) == Usage(
        input=100, output=50, reasoning=500
    )


@pytest.mark.parametrize(
    "block", [{"prompt_tokens": 8, "total_tokens": 8}, {"total_tokens": 8}, openai(8, 0)]
)
def test_an_endpoint_that_generates_nothing_has_input_only(block: dict[str, Any]) -> None:
    assert usage_in(block, generates=False) == Usage(input=8)


def test_a_count_cannot_be_negative() -> None:
    with pytest.raises(ValueError, match="negative"):
        Usage(cached_input=-1)
