"""The names of service tiers, as requests and replies have them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tasks.providers.usage.numbers import mapping_in

_TIERS = {
    "default": "standard", "standard": "standard", "on_demand": "standard", "standard_only": "standard",
    "flex": "flex", "priority": "priority", "fast": "priority", "batch": "batch", "batches": "batch",
    "balanced": "balanced", "ultrafast": "ultrafast",
    "on_demand_priority": "priority", "on_demand_flex": "flex",
}  # fmt: skip


def tier_of(name: object) -> str | None:
    """Return the tier that a `service_tier` names; None for `auto` and for names that no price list has."""
    return _TIERS.get(name.lower()) if isinstance(name, str) else None


def served_tier(body: Mapping[str, Any], usage: Mapping[str, Any]) -> str | None:
    """Return the tier that a reply says it was served in, in any provider's way."""
    named = (
        usage.get("service_tier"),
        body.get("service_tier"),
        usage.get("trafficType"),
        mapping_in(body, "serviceTier").get("type"),
    )
    return next((tier for tier in map(tier_of, named) if tier), None)
