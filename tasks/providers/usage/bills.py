"""What a provider says that it charged for a call."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import ROUND_CEILING, Decimal
from typing import Any

from router_core.pricing import MICROS_PER_DOLLAR
from tasks.providers.usage.numbers import Implausible, mapping_in, number_of

#: more than any call costs
_MAX_DOLLARS = 10_000
#: xAI counts in these
_TICKS_PER_MICRO = 10_000


def billed_micros(usage: Mapping[str, Any]) -> int | None:
    """Return the bill in a usage block, in micro-dollars rounded up; None if it names none.

    OpenRouter's `cost` is a number of dollars, Perplexity's an object with a `total_cost`; xAI counts in
    ticks of 1e-10 dollars, DeepInfra calls it an estimate.
    """
    dollars = [
        _dollars(usage.get("cost")),
        _dollars(mapping_in(usage, "cost").get("total_cost")),
        _dollars(usage.get("estimated_cost")),
    ]
    micros = [_micros(amount) + _paid_elsewhere(usage) for amount in dollars if amount is not None]
    ticks = _amount(usage.get("cost_in_usd_ticks"), most=_MAX_DOLLARS * MICROS_PER_DOLLAR * _TICKS_PER_MICRO)
    if ticks is not None:
        micros.append(_rounded_up(Decimal(str(ticks)) / _TICKS_PER_MICRO))
    return max(micros, default=None)


def _paid_elsewhere(usage: Mapping[str, Any]) -> int:
    """Return what a call through OpenRouter with a key of one's own costs at the model's provider."""
    upstream = _dollars(mapping_in(usage, "cost_details").get("upstream_inference_cost"))
    return _micros(upstream) if usage.get("is_byok") is True and upstream is not None else 0


def _dollars(value: object) -> float | None:
    return _amount(value, most=_MAX_DOLLARS)


def _amount(value: object, *, most: float) -> float | None:
    amount = number_of(value)
    if amount is not None and not 0 <= amount <= most:
        raise Implausible
    return amount


def _micros(dollars: float) -> int:
    return _rounded_up(Decimal(str(dollars)) * MICROS_PER_DOLLAR)


def _rounded_up(micros: Decimal) -> int:
    return int(micros.to_integral_value(ROUND_CEILING))
