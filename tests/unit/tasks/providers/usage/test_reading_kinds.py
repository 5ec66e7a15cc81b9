"""Sounds, images, citations, searches, bills and tiers in usage blocks of all providers."""

from __future__ import annotations

from typing import Any

import pytest

from router_core.pricing import Usage
from tasks.providers.usage import read_usage
from tests.support.usage_blocks import DETAILS, openai, usage_in


def modalities(**counts: int) -> list[dict[str, Any]]:
    """Return Gemini's list of counts by modality."""
    return [{"modality": name, "tokenCount": count} for name, count in counts.items()]


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
