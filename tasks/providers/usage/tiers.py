"""The names of service tiers, as requests and replies have them."""

from __future__ import annotations

_TIERS = {
    "default": "standard", "standard": "standard", "on_demand": "standard", "standard_only": "standard",
    "flex": "flex", "priority": "priority", "fast": "priority", "batch": "batch", "batches": "batch",
    "balanced": "balanced", "ultrafast": "ultrafast",
}  # fmt: skip


def tier_of(name: object) -> str | None:
    """Return the tier that a `service_tier` names; None for `auto` and for names that no price list has."""
    return _TIERS.get(name.lower()) if isinstance(name, str) else None
