"""The searches that a provider made for a call, as a reply tells of them outside its usage block."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tasks.providers.usage.numbers import mapping_in, mappings_in


def searches_in(body: Mapping[str, Any]) -> int:
    """Return the searches that the body of a reply shows: Gemini's queries, and calls of OpenAI's tool."""
    queries = len(set(_queries(body)))
    maps = any(_has_maps(candidate) for candidate in mappings_in(body, "candidates"))
    calls = len([one for one in mappings_in(body, "output") if one.get("type") == "web_search_call"])
    return max(queries, int(maps)) + calls


def _queries(body: Mapping[str, Any]) -> Iterator[str]:
    for candidate in mappings_in(body, "candidates"):
        queries = mapping_in(candidate, "groundingMetadata").get("webSearchQueries")
        yield from (str(query) for query in queries if query) if isinstance(queries, list) else ()


def _has_maps(candidate: Mapping[str, Any]) -> bool:
    grounding = mapping_in(candidate, "groundingMetadata")
    return any("maps" in chunk for chunk in mappings_in(grounding, "groundingChunks"))
