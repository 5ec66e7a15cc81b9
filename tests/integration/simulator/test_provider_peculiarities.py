"""What single providers do in their own way: caches, thoughts, searches, costs, tiers and tools."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from tests.support.dialects import DIALECTS, answer, ask, chat_text
from workers.simulator import Shape, SimulatorProcess

LONG = "The harbour report of the year. " * 200


@pytest.mark.parametrize("name", ["openai", "openai responses", "deepseek", "xai", "openrouter"])
def test_a_repeated_beginning_is_read_from_the_cache(sim: SimulatorProcess, name: str) -> None:
    field_name = "input" if "responses" in name else "messages"

    def ask_about(question: str) -> dict[str, Any]:
        turns = [{"role": "system", "content": LONG}, {"role": "user", "content": question}]
        return dict(answer(sim, name, "", **{field_name: turns})["usage"])

    assert [_cached(ask_about(question)) for question in ("Who?", "Where?")] == [0, 1536]


def _cached(usage: Mapping[str, Any]) -> int:
    details = usage.get("prompt_tokens_details") or usage["input_tokens_details"]
    assert usage.get("prompt_cache_hit_tokens", details["cached_tokens"]) == details["cached_tokens"]
    return int(details["cached_tokens"])


@pytest.mark.parametrize(("ttl", "price"), [("5m", 3.75), ("1h", 6.0)])
def test_anthropic_bills_what_a_request_marks_for_its_cache(
    sim: SimulatorProcess, ttl: str, price: float
) -> None:
    mark = {"type": "ephemeral", "ttl": ttl}
    system = [{"type": "text", "text": LONG, "cache_control": mark}]
    usages = [answer(sim, "anthropic", prompt, system=system)["usage"] for prompt in ("Who?", "Where?")]
    assert [usage["cache_creation_input_tokens"] for usage in usages] == [1600, 0]
    assert [usage["cache_read_input_tokens"] for usage in usages] == [0, 1600]
    assert usages[0]["cache_creation"][f"ephemeral_{ttl}_input_tokens"] == 1600
    exact = 1600 * price + 1600 * 0.3 + sum(u["input_tokens"] * 3 + u["output_tokens"] * 15 for u in usages)
    assert sim.client.stats()["billed_micro_usd"] == pytest.approx(exact, abs=2)


def test_bedrock_has_cache_points(sim: SimulatorProcess) -> None:
    system = [{"text": LONG}, {"cachePoint": {"type": "default"}}]
    usages = [answer(sim, "bedrock", prompt, system=system)["usage"] for prompt in ("Who?", "Where?")]
    assert [(u["cacheWriteInputTokens"], u["cacheReadInputTokens"]) for u in usages] == [(1600, 0), (0, 1600)]


def test_gemini_blocks_a_prompt_within_a_200(sim: SimulatorProcess) -> None:
    body = answer(sim, "gemini", "[[sim:filtered]]")
    assert "candidates" not in body
    assert body["promptFeedback"] == {"blockReason": "PROHIBITED_CONTENT"}


def test_gemini_counts_thoughts_beside_the_candidates_and_takes_both_spellings(sim: SimulatorProcess) -> None:
    settings = {"max_output_tokens": 5, "thinking_config": {"thinking_budget": 100}}
    body = answer(sim, "gemini", "hello", generation_config=settings)
    usage = body["usageMetadata"]
    assert usage["thoughtsTokenCount"] == 32
    assert usage["candidatesTokenCount"] == 5
    assert usage["totalTokenCount"] == usage["promptTokenCount"] + 37
    assert body["candidates"][0]["finishReason"] == "MAX_TOKENS"


def test_xai_counts_reasoning_outside_the_completion_and_bills_it(sim: SimulatorProcess) -> None:
    usage = answer(sim, "xai", "hello")["usage"]
    assert usage["completion_tokens_details"]["reasoning_tokens"] == 100
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"] + 100
    exact = usage["prompt_tokens"] * 0.3 + (usage["completion_tokens"] + 100) * 0.5
    assert sim.client.stats()["billed_micro_usd"] == pytest.approx(exact, abs=1)


def test_perplexity_bills_a_search_and_names_its_sources(sim: SimulatorProcess) -> None:
    body = answer(sim, "perplexity", "hello")
    assert body["search_results"][0]["url"] == body["citations"][0]
    assert sim.client.stats()["billed_micro_usd"] > 5000
    assert body["usage"]["cost"]["total_cost"] == sim.client.stats()["billed_micro_usd"] / 1e6


def test_openrouter_fails_within_a_200_and_names_the_cost(sim: SimulatorProcess) -> None:
    failed = answer(sim, "openrouter", "[[sim:status=502]]")
    assert failed["error"]["code"] == 502
    body = answer(sim, "openrouter", "hello")
    assert body["usage"]["cost"] == sim.client.stats()["billed_micro_usd"] / 1e6
    assert ask(sim, "openrouter", "hello").read()[:1] == b"\n"


def test_tiers_are_echoed_and_priced(sim: SimulatorProcess) -> None:
    prices = []
    for tier in ("default", "flex", "priority"):
        sim.client.reset()
        model = {"model": "gpt-5-mini", "service_tier": tier}
        assert answer(sim, "openai", "hello", **model)["service_tier"] == tier
        prices.append(sim.client.stats()["billed_micro_usd"])
    assert prices[1:] == [pytest.approx(prices[0] * factor, abs=1) for factor in (0.5, 1.8)]


CHAT = [name for name, dialect in DIALECTS.items() if dialect.text is chat_text]
TOOL = {
    "type": "function",
    "function": {
        "name": "add",
        "parameters": {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]},
    },
}


@pytest.mark.parametrize("name", CHAT)
def test_a_tool_is_called_with_arguments_that_fit(sim: SimulatorProcess, name: str) -> None:
    body = answer(sim, name, "[[sim:tool_call]] add", tools=[TOOL])
    (choice,) = body["choices"]
    (call,) = choice["message"]["tool_calls"]
    assert choice["finish_reason"] == "tool_calls"
    assert not choice["message"]["content"]
    assert isinstance(json.loads(call["function"]["arguments"])["a"], int)
    if name == "mistral":
        assert len(call["id"]) == 9


@pytest.mark.parametrize("shape", Shape)
def test_every_shape_is_served(sim: SimulatorProcess, shape: Shape) -> None:
    response = ask(sim, "vllm", f"[[sim:{shape}]] hello", tools=[TOOL])
    content = response.read()
    assert response.status == 200
    unbilled = shape in (Shape.RATE_LIMIT_IN_200, Shape.ERROR_IN_200)
    assert sim.client.stats()["billed"] == (0 if unbilled else 1)
    assert content != ask(sim, "vllm", "hello").read()
