"""LiteLLM's price list, read from its package without importing LiteLLM, which takes seconds."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from router_core.pricing import MICROS_PER_DOLLAR, Price

_FILE = "model_prices_and_context_window_backup.json"
#: the standard prices and those of long prompts; batch, flex and priority tiers apply only on request
_INPUT = re.compile(r"input_cost_per_token(_above_\d+k_tokens)?")
_OUTPUT = re.compile(r"output_cost_per_(token(_above_\d+k_tokens)?|reasoning_token)")


def listed_price(litellm_model: str) -> Price | None:
    """Return a model's listed price; None if LiteLLM is not installed or its list has no price of the model.

    It is the price of the most expensive tier, so that a reservation covers long prompts too.
    """
    entry = listed_entry(litellm_model)
    prices = [_highest_price(entry, pattern) for pattern in (_INPUT, _OUTPUT)]
    # A price of zero often means that the list lacks it, so it counts as unknown.
    return Price(prices[0], prices[1]) if all(prices) else None


def listed_entry(litellm_model: str) -> Mapping[str, Any]:
    """Return what LiteLLM's list says of a model; empty if LiteLLM is not installed or does not list it."""
    listed = _price_list()
    provider, _, name = litellm_model.partition("/")
    whole, bare = listed.get(litellm_model), listed.get(name, {})
    if whole is not None:
        return whole
    # `openai/gpt-4o` is listed as `gpt-4o`; it is the same model if the provider is the same.
    return bare if bare.get("litellm_provider") == provider else {}


def _highest_price(entry: Mapping[str, Any], pattern: re.Pattern[str]) -> float:
    """Return the highest of the matching prices, in dollars per million tokens; 0 without one."""
    values = [value for name, value in entry.items() if pattern.fullmatch(name)]
    per_token = [float(value) for value in values if isinstance(value, int | float)]
    return round(max(per_token, default=0.0) * MICROS_PER_DOLLAR, 9)


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
