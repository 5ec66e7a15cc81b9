"""Whatever a call used, each provider's way to write it down is read so that its bill is charged in full."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from router_core.pricing import Price, Usage, charged_micros
from tasks.providers.usage import read_usage

counts = st.integers(0, 100_000)
some = st.integers(1, 100_000)
dollars = st.decimals("0.01", 100, places=3).map(float)
#: prices as they are: what is cached costs less than other input, what is written to a cache costs more
prices = st.builds(
    lambda price, out, read, write, hour, think: Price(
        price, out, cached_input=price * read, cache_write=price * write, cache_write_1h=price * hour,
        reasoning=out * think,
    ),
    dollars, dollars, st.sampled_from([0.1, 0.25, 1]), st.sampled_from([1, 1.25]), st.sampled_from([1.25, 2]),
    st.sampled_from([1, 1.5]),
)  # fmt: skip
calls = st.builds(
    dict,
    input=some,
    cached_input=counts,
    cache_write=counts,
    cache_write_1h=counts,
    output=some,
    reasoning=counts,
)
#: a number as providers write it
Writer = Callable[[int], Any]
writers = st.sampled_from([int, float, str, lambda count: f"{count}.0"])


def openai(call: Mapping[str, int], n: Writer) -> dict[str, Any]:
    """Write a call down as OpenAI does: every part is in its total."""
    prompt = sum(call[kind] for kind in ("input", "cached_input", "cache_write"))
    completion = call["output"] + call["reasoning"]
    return {
        "prompt_tokens": n(prompt), "completion_tokens": n(completion),
        "total_tokens": n(prompt + completion),
        "prompt_tokens_details": {
            "cached_tokens": n(call["cached_input"]), "cache_write_tokens": n(call["cache_write"])
        },
        "completion_tokens_details": {"reasoning_tokens": n(call["reasoning"])},
    }  # fmt: skip


def responses(call: Mapping[str, int], n: Writer) -> dict[str, Any]:
    """Write a call down as the Responses API does."""
    chat = openai(call, n)
    names = {"prompt": "input", "completion": "output"}
    return {name.replace(old, new): chat[name] for old, new in names.items() for name in chat if old in name}


def xai(call: Mapping[str, int], n: Writer) -> dict[str, Any]:
    """Write a call down as xAI does: thoughts are in nothing but the overall total."""
    return {**openai(call, n), "completion_tokens": n(call["output"])}


def unnamed(call: Mapping[str, int], n: Writer) -> dict[str, Any]:
    """Write a call down without naming its thoughts."""
    return {**xai(call, n), "completion_tokens_details": None}


def anthropic(call: Mapping[str, int], n: Writer) -> dict[str, Any]:
    """Write a call down as Anthropic does: what is cached is beside the input, thoughts are in the output."""
    return {
        "input_tokens": n(call["input"]), "output_tokens": n(call["output"] + call["reasoning"]),
        "cache_read_input_tokens": n(call["cached_input"]),
        "cache_creation_input_tokens": n(call["cache_write"] + call["cache_write_1h"]),
        "cache_creation": {"ephemeral_1h_input_tokens": n(call["cache_write_1h"])},
        "output_tokens_details": {"thinking_tokens": n(call["reasoning"])},
    }  # fmt: skip


def bedrock(call: Mapping[str, int], n: Writer) -> dict[str, Any]:
    """Write a call down as Bedrock does."""
    return {
        "inputTokens": n(call["input"]), "outputTokens": n(call["output"]),
        "cacheReadInputTokens": n(call["cached_input"]), "cacheWriteInputTokens": n(call["cache_write"]),
        "totalTokens": n(sum(call[kind] for kind in ("input", "output", "cached_input", "cache_write"))),
    }  # fmt: skip


def gemini(call: Mapping[str, int], n: Writer) -> dict[str, Any]:
    """Write a call down as Gemini does: what is cached is in the input, thoughts are beside the answer."""
    prompt = call["input"] + call["cached_input"]
    return {
        "promptTokenCount": n(prompt), "candidatesTokenCount": n(call["output"]),
        "cachedContentTokenCount": n(call["cached_input"]), "thoughtsTokenCount": n(call["reasoning"]),
        "totalTokenCount": n(prompt + call["output"] + call["reasoning"]),
    }  # fmt: skip


def deepseek(call: Mapping[str, int], n: Writer) -> dict[str, Any]:
    """Write a call down as DeepSeek does."""
    prompt = call["input"] + call["cached_input"]
    return {
        "prompt_tokens": n(prompt), "completion_tokens": n(call["output"] + call["reasoning"]),
        "prompt_cache_hit_tokens": n(call["cached_input"]), "prompt_cache_miss_tokens": n(call["input"]),
        "completion_tokens_details": {"reasoning_tokens": n(call["reasoning"])},
    }  # fmt: skip


def perplexity(call: Mapping[str, int], n: Writer) -> dict[str, Any]:
    """Write a call down as Perplexity does: thoughts are in no total."""
    return {
        "prompt_tokens": n(call["input"]), "completion_tokens": n(call["output"]),
        "total_tokens": n(call["input"] + call["output"]), "reasoning_tokens": n(call["reasoning"]),
        "num_search_queries": 0,
    }  # fmt: skip


#: the shapes, with the kinds that each can tell apart
SHAPES = {
    openai: ("input", "cached_input", "cache_write", "output", "reasoning"),
    responses: ("input", "cached_input", "cache_write", "output", "reasoning"),
    xai: ("input", "cached_input", "cache_write", "output", "reasoning"),
    anthropic: ("input", "cached_input", "cache_write", "cache_write_1h", "output", "reasoning"),
    bedrock: ("input", "cached_input", "cache_write", "output"),
    gemini: ("input", "cached_input", "output", "reasoning"),
    deepseek: ("input", "cached_input", "output", "reasoning"),
    perplexity: ("input", "output", "reasoning"),
}


def read(block: dict[str, Any]) -> Usage:
    """Read a block as it stands in a reply."""
    found = read_usage({"usageMetadata" if "promptTokenCount" in block else "usage": block})
    assert found is not None
    return found


def bill(call: Mapping[str, int], price: Price) -> Fraction:
    """Return what the call costs, in micro-dollars."""
    rates = {
        "input": price.input_per_million, "output": price.output_per_million, "reasoning": price.reasoning,
        "cached_input": price.cached_input, "cache_write": price.cache_write,
        "cache_write_1h": price.cache_write_1h,
    }  # fmt: skip
    return sum((count * Fraction(str(rates[kind])) for kind, count in call.items()), Fraction())


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.__name__)
@given(call=calls, price=prices, writer=writers)
def test_the_bill_is_charged_from_each_providers_block(
    shape: Callable[..., dict[str, Any]], call: dict[str, int], price: Price, writer: Writer
) -> None:
    told = {kind: call[kind] if kind in SHAPES[shape] else 0 for kind in call}
    charged = charged_micros(read(shape(told, writer)), price)
    assert bill(told, price) <= charged < bill(told, price) + 1


@given(calls, prices, writers)
def test_thoughts_that_a_block_does_not_name_are_charged_as_the_dearest_text(
    call: dict[str, int], price: Price, writer: Writer
) -> None:
    told = {**call, "cache_write_1h": 0}
    # A total that is larger by just what is cached says that the cache stands beside the input.
    cached = told["cached_input"], told["cache_write"]
    assume(told["reasoning"] not in (*cached, sum(cached)))
    charged = charged_micros(read(unnamed(told, writer)), price)
    assert bill(told, price) <= charged < bill(told, price) + 1


@pytest.mark.parametrize("lost", ["prompt_tokens", "completion_tokens", "total_tokens"])
@given(call=calls, price=prices)
def test_a_total_that_is_missing_is_found_from_the_others(
    lost: str, call: dict[str, int], price: Price
) -> None:
    told = {**call, "cache_write_1h": 0}
    block = openai(told, int)
    del block[lost]
    charged = charged_micros(read(block), price)
    assert bill(told, price) <= charged < bill(told, price) + 1


NAMES = (
    "prompt_tokens", "completion_tokens", "total_tokens", "input_tokens", "output_tokens", "reasoning_tokens",
    "prompt_tokens_details", "completion_tokens_details", "cached_tokens", "audio_tokens", "image_tokens",
    "cache_creation", "cache_creation_input_tokens", "ephemeral_1h_input_tokens", "cache_read_input_tokens",
    "promptTokenCount", "candidatesTokenCount", "thoughtsTokenCount", "promptTokensDetails", "modality",
    "inputTokens", "outputTokens", "cacheDetails", "ttl", "cost", "total_cost", "iterations", "service_tier",
    "num_search_queries", "citation_tokens", "server_tool_use", "usage", "usageMetadata", "candidates",
)  # fmt: skip
values = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 10**9) | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=4),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(NAMES), values), st.none() | st.integers(1, 10_000), st.booleans())
def test_any_block_is_read_or_unknown(block: dict[str, Any], limit: int | None, generates: bool) -> None:
    for body in (block, {"usage": block}, {"usageMetadata": block}):
        found = read_usage(body, limit=limit, generates=generates)
        if found is not None:
            assert found.prompt_tokens > 0
            assert found.completion_tokens > 0 or not generates


small = st.none() | st.integers(0, 3) | st.sampled_from([-1, 0.0, 2.5, True, "", "2"])
parts = st.sampled_from(["cached_tokens", "reasoning_tokens", "audio_tokens", "image_tokens"])
few = st.dictionaries(parts, small, max_size=2)
almost_plain = st.fixed_dictionaries(
    dict.fromkeys(("prompt_tokens", "completion_tokens"), st.integers(0, 4) | st.just(15_000_000)),
    optional={
        "prompt_tokens_details": few | small,
        "completion_tokens_details": few | small,
        "cached_tokens": small,
        "cost": small,
    },
)
beside = st.sampled_from([{}, {"service_tier": "flex"}, {"output": [{"type": "web_search_call"}]}])


@settings(max_examples=1000)
@given(almost_plain, st.sampled_from([0, 0, 0, 1]), beside, st.none() | st.integers(1, 3), st.booleans())
def test_the_short_way_through_a_plain_block_ends_where_the_long_one_does(
    block: dict[str, Any], more: int, beside: dict[str, Any], limit: int | None, generates: bool
) -> None:
    total = block["prompt_tokens"] + block["completion_tokens"] + more
    body = {"usage": {**block, "total_tokens": total}, **beside}
    with patch("tasks.providers.usage.plain_usage", return_value=None):
        long = read_usage(body, limit=limit, generates=generates)
    assert read_usage(body, limit=limit, generates=generates) == long
