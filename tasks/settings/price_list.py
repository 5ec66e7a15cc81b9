"""LiteLLM's price list: read from its package, without importing it (which takes seconds)."""

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
#: the standard price and those of long prompts; batch, flex and priority tiers are asked for by name only
_INPUT = re.compile(r"input_cost_per_token(_above_\d+k_tokens)?")
_OUTPUT = re.compile(r"output_cost_per_(token(_above_\d+k_tokens)?|reasoning_token)")


def listed_price(litellm_model: str) -> Price | None:
    """Return what the list says a model costs, at its dearest tier: a reservation must hold for long prompts too.

    None where LiteLLM is not installed, or its list knows no price of this model.
    """
    entry = _entry(litellm_model)
    prices = [_dearest(entry, pattern) for pattern in (_INPUT, _OUTPUT)]
    # Zero is as often a gap in the list as a gift.
    return Price(*(prices)) if all(prices) else None


def _entry(litellm_model: str) -> Mapping[str, Any]:
    listed = _price_list()
    provider, _, name = litellm_model.partition("/")
    whole, bare = listed.get(litellm_model), listed.get(name, {})
    if whole is not None:
        return whole
    # `openai/gpt-4o` is listed as `gpt-4o`; the provider's name says that it is the same one.
    return bare if bare.get("litellm_provider") == provider else {}


def _dearest(entry: Mapping[str, Any], pattern: re.Pattern[str]) -> float:
    """Dollars per million tokens."""
    found = [value for name, value in entry.items() if pattern.fullmatch(name)]
    numbers = [float(value) for value in found if isinstance(value, int | float)]
    return round(max(numbers, default=0.0) * MICROS_PER_DOLLAR, 9)


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
