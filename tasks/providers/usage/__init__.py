"""The usage block of any provider's reply, read into counts by kind.

A block names totals and parts of them, and providers disagree about which parts a total holds: xAI and Gemini
count thoughts beside the answer, OpenAI within it; Anthropic and Bedrock count cached input beside the rest.
The overall total tells, and where even that leaves two readings, the dearer one is taken.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from router_core.pricing import Usage
from tasks.providers.usage.bills import billed_micros
from tasks.providers.usage.numbers import Implausible, mapping_in
from tasks.providers.usage.plain import plain_usage
from tasks.providers.usage.searches import searches_in
from tasks.providers.usage.shapes import block_of
from tasks.providers.usage.tiers import served_tier, tier_of
from tasks.providers.usage.totals import usage_of

__all__ = ["read_usage", "tier_of"]


def read_usage(body: Mapping[str, Any], *, limit: int | None = None, generates: bool = True) -> Usage | None:
    """Return the usage in a reply; None if it says nothing that can be believed.

    Args:
        body: The reply of any provider, or what LiteLLM made of it.
        limit: The most output tokens that the request allows; it does not bound thoughts.
        generates: Whether the endpoint generates text: then a usage without output tokens is not believed.
    """
    figures = mapping_in(body, "usage") or mapping_in(body, "usageMetadata")
    tier = served_tier(body, figures)
    if plain := plain_usage(body, figures, limit=limit, tier=tier):
        return plain
    try:
        block = block_of(figures)
        return usage_of(
            replace(block, searches=block.searches or searches_in(body)),
            limit=limit,
            generates=generates,
            billed=billed_micros(figures),
            tier=tier,
        )
    except Implausible:
        return None
