"""A price from tables of amounts, and its form in JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from router_core.pricing.price import Price
from router_core.pricing.usage import FEES

#: dollars by kind, as `Usage` names them; fees are `request` and `search`
Amounts = Mapping[str, float]
_BASES = ("input", "output")


def price_of(
    amounts: Amounts,
    *,
    steps: Mapping[int, Amounts] | None = None,
    tiers: Mapping[str, Amounts] | None = None,
    tier_steps: Mapping[tuple[str, int], Amounts] | None = None,
    search_sizes: Amounts | None = None,
    searches_once: bool = False,
) -> Price:
    """Return a price.

    Args:
        amounts: The price in the standard tier; `input` and `output` are needed.
        steps: What differs for a request with an input above a number of tokens.
        tiers: What differs in another tier. Its steps keep the proportion of the standard ones.
        tier_steps: What differs in a step of a tier.
        search_sizes: The price of searches of a known size.
        searches_once: Whether all searches of a call cost as much as one.
    """
    sizes = tuple(sorted((search_sizes or {}).items()))
    standard = _flat(amounts, search_sizes=sizes, searches_once=searches_once)
    stepped = {above: standard.with_amounts(**changed) for above, changed in sorted((steps or {}).items())}
    in_tiers = [
        (tier, _tier(standard.with_amounts(**changed), standard, stepped, _of_tier(tier, tier_steps or {})))
        for tier, changed in sorted((tiers or {}).items())
    ]
    return replace(standard, steps=tuple(stepped.items()), tiers=tuple(in_tiers))


def to_json(price: Price) -> dict[str, Any]:
    """Return a price as JSON values, from which `from_json` makes it again."""
    return {
        **{name: amount for name, amount in price.amounts().items() if amount or name not in FEES},
        **({"search_sizes": dict(price.search_sizes)} if price.search_sizes else {}),
        **({"searches_once": True} if price.searches_once else {}),
        **({"steps": [[above, to_json(step)] for above, step in price.steps]} if price.steps else {}),
        **({"tiers": {tier: to_json(other) for tier, other in price.tiers}} if price.tiers else {}),
    }


def from_json(values: Mapping[str, Any]) -> Price:
    """Return the price that `to_json` wrote; fields that a newer version added are ignored."""
    known: dict[str, Any] = {name: values[name] for name in values if name in Price.__dataclass_fields__}
    known["search_sizes"] = tuple(values.get("search_sizes", {}).items())
    known["steps"] = tuple((above, from_json(step)) for above, step in values.get("steps", ()))
    known["tiers"] = tuple((tier, from_json(other)) for tier, other in values.get("tiers", {}).items())
    return Price(**known)


def _flat(amounts: Amounts, **searches: Any) -> Price:
    others: dict[str, Any] = {kind: amount for kind, amount in amounts.items() if kind not in _BASES}
    return Price(amounts["input"], amounts["output"], **others, **searches)


def _of_tier(tier: str, steps: Mapping[tuple[str, int], Amounts]) -> dict[int, Amounts]:
    return {above: amounts for (name, above), amounts in steps.items() if name == tier}


def _tier(base: Price, standard: Price, stepped: Mapping[int, Price], own: Mapping[int, Amounts]) -> Price:
    """Return a tier's price with its steps: its own amounts, or those of the standard steps in proportion."""
    steps = []
    for above in sorted({*stepped, *own}):
        step = stepped.get(above, standard)
        scaled = {kind: _scaled(kind, base, standard, step) for kind in _BASES}
        steps.append((above, base.with_amounts(**scaled | dict(own.get(above, {})))))
    return replace(base, steps=tuple(steps))


def _scaled(kind: str, base: Price, standard: Price, step: Price) -> float:
    if not standard.per_million(kind):
        return base.per_million(kind)
    return round(base.per_million(kind) * step.per_million(kind) / standard.per_million(kind), 9)
