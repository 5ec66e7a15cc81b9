"""LiteLLM's price list, read from its package without importing LiteLLM, which takes seconds."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from router_core.pricing import MICROS_PER_DOLLAR, Price
from router_core.pricing.tables import price_of

_FILE = "model_prices_and_context_window_backup.json"
#: the list's names of each kind; where a kind has several, the highest price counts
_NAMES = {
    "input": ("input_cost_per_token",),
    "cached_input": (
        "cache_read_input_token_cost", "explicit_cache_read_input_token_cost",
        "input_cost_per_token_cache_hit",
    ),
    "cache_write": ("cache_creation_input_token_cost",),
    "cache_write_1h": ("cache_creation_input_token_cost_above_1hr",),
    "audio_input": ("input_cost_per_audio_token",),
    "cached_audio_input": ("cache_read_input_audio_token_cost",),
    "image_input": ("input_cost_per_image_token", "input_cost_per_video_token"),
    "citation": ("citation_cost_per_token",),
    "output": ("output_cost_per_token",),
    "reasoning": ("output_cost_per_reasoning_token",),
    "audio_output": ("output_cost_per_audio_token",),
    "image_output": ("output_cost_per_image_token", "output_cost_per_video_token"),
    "request": ("input_cost_per_request",),
}  # fmt: skip
_KINDS = {name: kind for kind, names in _NAMES.items() for name in names}
_FEES = frozenset(("request",))
_TIERS = {
    "batches": "batch", "flex": "flex", "priority": "priority", "balanced": "balanced",
    "ultrafast": "ultrafast",
}  # fmt: skip
#: a kind's name, the input from which on it holds, and its tier
_KEY = re.compile(rf"({'|'.join(_KINDS)})(?:_above_(\d+)k_tokens)?(?:_({'|'.join(_TIERS)}))?")
_SEARCHES = ("search_context_cost_per_query", "google_maps_grounding_cost_per_query")
_SEARCH_SIZE = "search_context_size_"
#: endpoints whose calls may be free, and those without output
_FREE = ("moderation",)
_WITHOUT_OUTPUT = ("embedding", "rerank")

#: amounts by tier (None: standard) and by the input from which on they hold (0: from the start)
_Tables = dict[tuple[str | None, int], dict[str, float]]


@cache
def listed_price(litellm_model: str) -> Price | None:
    """Return a model's listed price; None if LiteLLM is not installed or its list has none."""
    entry = listed_entry(litellm_model)
    tables = _tables(entry)
    amounts = tables.pop((None, 0), {})
    if not _is_priced(amounts, entry.get("mode")):
        return None
    sizes = dict(_search_sizes(entry))
    dearest = max(sizes.values(), default=0.0)
    return price_of(
        {"input": 0.0, "output": 0.0, **amounts, "search": dearest},
        steps={above: table for (tier, above), table in tables.items() if tier is None},
        tiers={tier: tables.get((tier, 0), {}) for tier, _ in tables if tier is not None},
        tier_steps={(tier, above): table for (tier, above), table in tables.items() if tier and above},
        search_sizes={size: amount for size, amount in sizes.items() if size and amount < dearest},
        searches_once=_searches_once(entry),
    )


def _is_priced(amounts: Mapping[str, float], mode: object) -> bool:
    # A price of zero often means that the list lacks it, so it counts as unknown.
    return mode in _FREE or ("input" in amounts and ("output" in amounts or mode in _WITHOUT_OUTPUT))


def is_openais(name: str) -> bool:
    """Return whether a name is that of one of OpenAI's own models, whoever serves it."""
    return _price_list().get(name.rpartition("/")[2], {}).get("litellm_provider") == "openai"


def listed_entry(litellm_model: str) -> Mapping[str, Any]:
    """Return what LiteLLM's list says of a model; empty if LiteLLM is not installed or does not list it."""
    listed = _price_list()
    provider, _, name = litellm_model.partition("/")
    whole, bare = listed.get(litellm_model), listed.get(name, {})
    if whole is not None:
        return whole
    # `openai/gpt-4o` is listed as `gpt-4o`; it is the same model if the provider is the same.
    return bare if bare.get("litellm_provider") == provider else {}


def names_provider(litellm_model: str) -> bool:
    """Return whether LiteLLM knows the provider: by a prefix, or because it lists the name without one.

    Without LiteLLM's list a name needs a prefix.
    """
    return "/" in litellm_model or bool(listed_entry(litellm_model))


def listed_providers() -> frozenset[str]:
    """Return the providers of LiteLLM's list, which are not all that it knows."""
    return frozenset(str(entry.get("litellm_provider")) for entry in _price_list().values())


def listed_names() -> list[str]:
    """Return the names of the models in LiteLLM's list; none if LiteLLM is not installed."""
    return list(_price_list())


def _tables(entry: Mapping[str, Any]) -> _Tables:
    """Return the amounts of an entry; those of zero are left out."""
    # xAI charges the higher price from its threshold on, all others above it.
    less = 1 if entry.get("litellm_provider") == "xai" else 0
    tables: _Tables = {}
    for above, amounts in (*_ranges(entry), (0, entry)):
        for name, value in amounts.items():
            match = _KEY.fullmatch(name)
            if match is None or not (dollars := _dollars(value)):
                continue
            kind, step = _KINDS[match[1]], above or int(match[2] or 0) * 1000
            table = tables.setdefault((_TIERS.get(match[3]), max(step - less, 0)), {})
            per_unit = dollars if kind in _FEES else round(dollars * MICROS_PER_DOLLAR, 9)
            table[kind] = max(per_unit, table.get(kind, 0.0))
    return tables


def _ranges(entry: Mapping[str, Any]) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """Yield the beginning and the prices of each range of the input's length, which some entries have."""
    for one in entry.get("tiered_pricing") or ():
        if isinstance(one, dict) and isinstance(bounds := one.get("range"), list) and bounds:
            yield int(bounds[0]), one


def _search_sizes(entry: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    """Yield dollars per search by size; the size is empty where the price holds for all."""
    for name in _SEARCHES:
        value = entry.get(name)
        sizes = value if isinstance(value, dict) else {"": value}
        for size, amount in sizes.items():
            if dollars := _dollars(amount):
                yield str(size).removeprefix(_SEARCH_SIZE), dollars


def _searches_once(entry: Mapping[str, Any]) -> bool:
    """Return whether all searches of a call are charged as one, as for Gemini 2."""
    is_gemini = entry.get("litellm_provider") in ("gemini", "vertex_ai-language-models")
    return is_gemini and bool(entry.get(_SEARCHES[0])) and entry.get("web_search_billing_unit") != "per_query"


def _dollars(value: object) -> float:
    """Return an amount; 0 for what is none."""
    try:
        return float(value) if isinstance(value, int | float | str) else 0.0
    except ValueError:
        return 0.0


@cache
def _price_list() -> Mapping[str, Mapping[str, Any]]:
    spec = find_spec("litellm")
    if spec is None or spec.origin is None:
        return {}
    try:
        listed: dict[str, dict[str, Any]] = json.loads(Path(spec.origin).with_name(_FILE).read_bytes())
    except (OSError, ValueError):
        return {}
    return listed
