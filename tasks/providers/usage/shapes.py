"""The shapes of usage blocks: each provider's names for the same figures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tasks.providers.usage.numbers import count_in, mapping_in, mappings_in, part_in

_CACHE = frozenset(("cached_input", "cache_write", "cache_write_1h"))
_IMAGES = ("IMAGE", "VIDEO")


@dataclass(frozen=True, slots=True)
class Block:
    """The figures of a block.

    Attributes:
        prompt: The total of the input as it stands there, None where it is missing.
        completion: The total of the output, in the same way.
        total: The total of both.
        parts: Counts by kind; `tool_input` are results of the provider's tools, which the model read.
        outside: The parts that the totals never hold.
        usually_outside: The parts that the totals do not hold unless the overall total says so.
        searches: The provider's searches.
        search_size: Their size, as the provider names it.
    """

    prompt: int | None
    completion: int | None
    total: int | None
    parts: Mapping[str, int] = field(default_factory=dict)
    outside: frozenset[str] = frozenset()
    usually_outside: frozenset[str] = frozenset()
    searches: int = 0
    search_size: str | None = None


def block_of(usage: Mapping[str, Any]) -> Block:
    """Return the figures of a usage block, in whichever shape; raises Implausible."""
    if "promptTokenCount" in usage:
        return _gemini(usage)
    if "inputTokens" in usage:
        return _bedrock(usage)
    if "prompt_tokens" not in usage and mappings_in(usage, "iterations"):
        return _sum([_anthropic(one) for one in mappings_in(usage, "iterations")], _searches(usage))
    return _anthropic(usage) if _is_anthropic(usage) else _openai(usage)


def _openai(usage: Mapping[str, Any]) -> Block:
    """Read the shape of OpenAI's APIs and of everything that is compatible with them, LiteLLM included."""
    sent = mapping_in(usage, "prompt_tokens_details", "input_tokens_details")
    written = mapping_in(usage, "completion_tokens_details", "output_tokens_details")
    # Only Perplexity has these two fields; it counts thoughts and citations beside its totals.
    is_perplexity = "citation_tokens" in usage or "num_search_queries" in usage
    return Block(
        prompt=count_in(usage, "prompt_tokens", "input_tokens"),
        completion=count_in(usage, "completion_tokens", "output_tokens"),
        total=count_in(usage, "total_tokens"),
        parts={
            **_cache_parts(usage, sent),
            "audio_input": part_in(sent, "audio_tokens"),
            "cached_audio_input": part_in(mapping_in(sent, "cached_tokens_details"), "audio_tokens"),
            "image_input": part_in(sent, "image_tokens") + part_in(sent, "video_tokens"),
            "tool_input": part_in(sent, "tool_use_tokens"),
            "citation": part_in(usage, "citation_tokens"),
            "reasoning": part_in(written, "reasoning_tokens") or part_in(usage, "reasoning_tokens"),
            "audio_output": part_in(written, "audio_tokens"),
            "image_output": part_in(written, "image_tokens") + part_in(written, "video_tokens"),
        },
        outside=frozenset(("citation", "reasoning") if is_perplexity else ("citation",)),
        searches=_searches(usage),
        search_size=_search_size(usage),
    )


def _cache_parts(usage: Mapping[str, Any], sent: Mapping[str, Any]) -> dict[str, int]:
    names = ("cache_write_tokens", "cache_creation_tokens", "cache_creation_input_tokens")
    spans = mapping_in(sent, "cache_creation_token_details") or mapping_in(usage, "cache_creation")
    read = ("cache_read_input_tokens", "prompt_cache_hit_tokens", "cached_tokens", "num_cached_tokens")
    return _split_writes(
        max(part_in(sent, *names), part_in(usage, "cache_creation_input_tokens")),
        for_5m=part_in(spans, "ephemeral_5m_input_tokens"),
        for_1h=part_in(spans, "ephemeral_1h_input_tokens"),
    ) | {"cached_input": part_in(sent, "cached_tokens") or part_in(usage, *read)}


def _split_writes(written: int, *, for_5m: int, for_1h: int) -> dict[str, int]:
    return {"cache_write": max(written - for_1h, for_5m), "cache_write_1h": for_1h}


def _is_anthropic(usage: Mapping[str, Any]) -> bool:
    """Return whether it is a block of the Messages API; the Responses API has `input_tokens` too."""
    own = ("cache_read_input_tokens", "cache_creation_input_tokens", "cache_creation", "server_tool_use")
    return "prompt_tokens" not in usage and "total_tokens" not in usage and any(name in usage for name in own)


def _anthropic(usage: Mapping[str, Any]) -> Block:
    thoughts = part_in(mapping_in(usage, "output_tokens_details"), "thinking_tokens", "reasoning_tokens")
    return Block(
        prompt=count_in(usage, "input_tokens"),
        completion=count_in(usage, "output_tokens"),
        total=None,
        parts={**_cache_parts(usage, {}), "reasoning": thoughts},
        outside=_CACHE,
        searches=_searches(usage),
    )


def _sum(blocks: list[Block], searches: int) -> Block:
    """Return the sum of the blocks of one reply, which a provider made in several rounds."""
    names = {name for block in blocks for name in block.parts}
    return Block(
        prompt=sum(block.prompt or 0 for block in blocks),
        completion=sum(block.completion or 0 for block in blocks),
        total=None,
        parts={name: sum(block.parts.get(name, 0) for block in blocks) for name in names},
        outside=_CACHE,
        searches=searches,
    )


def _bedrock(usage: Mapping[str, Any]) -> Block:
    """Read the shape of Bedrock's Converse API."""
    spans = mappings_in(usage, "cacheDetails")
    return Block(
        prompt=count_in(usage, "inputTokens"),
        completion=count_in(usage, "outputTokens"),
        total=count_in(usage, "totalTokens"),
        parts={
            "cached_input": part_in(usage, "cacheReadInputTokens", "cacheReadInputTokenCount"),
            **_split_writes(
                part_in(usage, "cacheWriteInputTokens", "cacheWriteInputTokenCount"),
                for_5m=sum(part_in(one, "inputTokens") for one in spans if one.get("ttl") == "5m"),
                for_1h=sum(part_in(one, "inputTokens") for one in spans if one.get("ttl") != "5m"),
            ),
        },
        outside=_CACHE,
    )


def _gemini(usage: Mapping[str, Any]) -> Block:
    """Read Gemini's `usageMetadata`."""
    sent, cached = _by_modality(usage, "promptTokensDetails"), _by_modality(usage, "cacheTokensDetails")
    written = _by_modality(usage, "candidatesTokensDetails")
    cached_audio = cached.get("AUDIO", 0)
    return Block(
        prompt=count_in(usage, "promptTokenCount"),
        completion=count_in(usage, "candidatesTokenCount", "responseTokenCount"),
        total=count_in(usage, "totalTokenCount"),
        parts={
            "cached_input": part_in(usage, "cachedContentTokenCount"),
            "audio_input": sent.get("AUDIO", 0),
            "cached_audio_input": cached_audio,
            "image_input": sum(
                sent.get(one, 0) - min(sent.get(one, 0), cached.get(one, 0)) for one in _IMAGES
            ),
            "tool_input": part_in(usage, "toolUsePromptTokenCount"),
            "reasoning": part_in(usage, "thoughtsTokenCount"),
            "audio_output": written.get("AUDIO", 0),
            "image_output": sum(written.get(one, 0) for one in _IMAGES),
        },
        usually_outside=frozenset(("reasoning", "tool_input")),
        searches=0,
    )


def _by_modality(usage: Mapping[str, Any], name: str) -> dict[str, int]:
    counts: dict[str, int] = {}
    for one in mappings_in(usage, name):
        modality = str(one.get("modality", "")).upper()
        counts[modality] = counts.get(modality, 0) + part_in(one, "tokenCount")
    return counts


def _searches(usage: Mapping[str, Any]) -> int:
    sent = mapping_in(usage, "prompt_tokens_details")
    tools = mapping_in(usage, "server_side_tool_usage_details")
    named = max(
        part_in(usage, "num_search_queries"),
        part_in(mapping_in(usage, "server_tool_use"), "web_search_requests"),
        part_in(sent, "web_search_requests") + part_in(sent, "google_maps_grounding_requests"),
        part_in(tools, "web_search_calls") + part_in(tools, "x_search_calls"),
        part_in(usage, "num_sources_used"),
    )
    # Perplexity names the size of the search, and its number only where there are several.
    return named or int(usage.get("search_context_size") is not None)


def _search_size(usage: Mapping[str, Any]) -> str | None:
    size = usage.get("search_context_size")
    return size if size in ("low", "medium", "high") else None
