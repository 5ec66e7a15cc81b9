"""Usage blocks of all providers are read into the same kinds, and every token counts once."""

from __future__ import annotations

from typing import Any

import pytest

from router_core.pricing import Usage
from tasks.providers.usage import read_usage

DETAILS = "prompt_tokens_details"


def openai(prompt: Any = 100, completion: Any = 50, total: Any = None, **more: Any) -> dict[str, Any]:
    """Return a block in OpenAI's shape; a total of None is left out."""
    block = {"prompt_tokens": prompt, "completion_tokens": completion, **more}
    return block if total is None else {**block, "total_tokens": total}


def thoughts(count: Any) -> dict[str, Any]:
    """Return the part of a block that counts thoughts."""
    return {"completion_tokens_details": {"reasoning_tokens": count}}


def modalities(**counts: int) -> list[dict[str, Any]]:
    """Return Gemini's list of counts by modality."""
    return [{"modality": name, "tokenCount": count} for name, count in counts.items()]


def usage_in(block: Any, **options: Any) -> Usage | None:
    """Read a block as it stands in a reply."""
    name = "usageMetadata" if isinstance(block, dict) and "promptTokenCount" in block else "usage"
    return read_usage({name: block}, **options)


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
    ("block", "expected"),
    [
        pytest.param(
            openai(100, 50, 150, **{DETAILS: {"audio_tokens": 30, "image_tokens": 20, "cached_tokens": 10}}),
            Usage(input=40, audio_input=30, image_input=20, cached_input=10, output=50),
            id="openai_input",
        ),
        pytest.param(
            openai(100, 50, 150, completion_tokens_details={"audio_tokens": 30, "image_tokens": 5}),
            Usage(input=100, output=15, audio_output=30, image_output=5),
            id="openai_output",
        ),
        pytest.param(
            openai(100, 50, **{DETAILS: {"audio_tokens": 90, "cached_tokens": 60}}),
            Usage(audio_input=40, cached_input=10, cached_audio_input=50, output=50),
            id="cached_audio_is_named_by_both",
        ),
        pytest.param(
            openai(100, 50, **{DETAILS: {
                "audio_tokens": 60, "cached_tokens": 50, "cached_tokens_details": {"audio_tokens": 20},
            }}),
            Usage(input=10, audio_input=40, cached_input=30, cached_audio_input=20, output=50),
            id="realtime",
        ),
        pytest.param(
            {"promptTokenCount": 100, "candidatesTokenCount": 50, "thoughtsTokenCount": 30,
             "totalTokenCount": 180},
            Usage(input=100, output=50, reasoning=30),
            id="gemini",
        ),
        pytest.param(
            {"promptTokenCount": 100, "candidatesTokenCount": 50, "thoughtsTokenCount": 30,
             "totalTokenCount": 150},
            Usage(input=100, output=20, reasoning=30),
            id="gemini_thoughts_inside",
        ),
        pytest.param(
            {"promptTokenCount": 100, "candidatesTokenCount": 50, "thoughtsTokenCount": 30},
            Usage(input=100, output=50, reasoning=30),
            id="gemini_without_a_total",
        ),
        pytest.param(
            {"promptTokenCount": 100, "candidatesTokenCount": 50, "toolUsePromptTokenCount": 40,
             "totalTokenCount": 190},
            Usage(input=140, output=50),
            id="gemini_tools",
        ),
        pytest.param(
            {"promptTokenCount": 100, "candidatesTokenCount": 50, "cachedContentTokenCount": 40,
             "promptTokensDetails": modalities(AUDIO=30, IMAGE=20),
             "cacheTokensDetails": modalities(AUDIO=10, TEXT=30),
             "candidatesTokensDetails": modalities(IMAGE=45)},
            Usage(input=20, cached_input=30, audio_input=20, cached_audio_input=10, image_input=20, output=5,
                  image_output=45),
            id="gemini_modalities",
        ),
        pytest.param(
            {"promptTokenCount": 100, "thoughtsTokenCount": 30, "totalTokenCount": 130},
            Usage(input=100, reasoning=30),
            id="gemini_thought_only",
        ),
        pytest.param(
            openai(33, 700, 733, citation_tokens=200, num_search_queries=18, reasoning_tokens=400),
            Usage(input=33, output=700, reasoning=400, citation=200, searches=18),
            id="perplexity_counts_beside_its_totals",
        ),
    ],
)  # fmt: skip
def test_sounds_images_thoughts_and_citations_have_kinds(block: dict[str, Any], expected: Usage) -> None:
    assert usage_in(block) == expected


@pytest.mark.parametrize(
    ("fields", "searches"),
    [
        ({"num_search_queries": 3}, 3),
        ({"search_context_size": "low"}, 1),
        ({"search_context_size": None}, 0),
        ({"server_tool_use": {"web_search_requests": 2}}, 2),
        ({"server_tool_use": None}, 0),
        ({DETAILS: {"web_search_requests": 2, "google_maps_grounding_requests": 1}}, 3),
        ({"server_side_tool_usage_details": {"web_search_calls": 2, "x_search_calls": 1}}, 3),
        ({"num_sources_used": 4}, 4),
    ],
    ids=str,
)
def test_searches_are_counted(fields: dict[str, Any], searches: int) -> None:
    found = usage_in(openai(**fields))
    assert found is not None
    assert found.searches == searches


def test_searches_outside_the_block_are_counted() -> None:
    grounding = {"webSearchQueries": ["a", "b", "a", ""], "groundingChunks": [{"web": {}}]}
    gemini = {"promptTokenCount": 1, "candidatesTokenCount": 1}
    found = read_usage({"usageMetadata": gemini, "candidates": [{"groundingMetadata": grounding}]})
    assert found == Usage(input=1, output=1, searches=2)
    calls = [{"type": "web_search_call"}, {"type": "message"}, {"type": "web_search_call"}]
    assert read_usage({"usage": openai(), "output": calls}) == Usage(input=100, output=50, searches=2)


@pytest.mark.parametrize(
    ("fields", "micros"),
    [
        ({"cost": 0.00767}, 7_670),
        ({"cost": "0.0000001"}, 1),
        ({"cost": 0}, 0),
        ({"cost": None}, None),
        ({"cost": {"total_cost": 0.409393, "request_cost": 0.005}}, 409_393),
        ({"cost": {"input_tokens_cost": 1}}, None),
        ({"cost": 0.001, "is_byok": True, "cost_details": {"upstream_inference_cost": 0.02}}, 21_000),
        ({"cost": 0.001, "is_byok": False, "cost_details": {"upstream_inference_cost": 0.02}}, 1_000),
        ({"cost_in_usd_ticks": 37_756_001}, 3_776),
        ({"estimated_cost": 0.0002}, 200),
    ],
    ids=str,
)
def test_a_bill_in_the_block_is_read(fields: dict[str, Any], micros: int | None) -> None:
    found = usage_in(openai(**fields))
    assert found is not None
    assert found.billed == micros


@pytest.mark.parametrize(
    ("body", "tier"),
    [
        ({"service_tier": "priority"}, "priority"),
        ({"service_tier": "default"}, "standard"),
        ({"service_tier": "auto"}, None),
        ({"service_tier": "some new tier"}, None),
        ({"service_tier": 7}, None),
        ({"serviceTier": {"type": "flex"}}, "flex"),
        ({"usage": openai(service_tier="batch")}, "batch"),
        ({"usage": openai(trafficType="ON_DEMAND_PRIORITY")}, "priority"),
        ({}, None),
    ],
    ids=str,
)
def test_the_tier_that_a_reply_names_is_read(body: dict[str, Any], tier: str | None) -> None:
    found = read_usage({"usage": openai(), **body})
    assert found is not None
    assert found.tier == tier


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
