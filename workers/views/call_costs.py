"""What calls will probably cost, in a line for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from tasks.learning.call_costs import CallCosts


def costs_text(costs: CallCosts) -> str:
    """Return the expected cost and the most that it can be."""
    unpriced = "" if costs.priced else ", without the calls whose price is not known"
    return f"about ${costs.cost_usd:,.4f}, at most ${costs.worst_usd:,.4f}{unpriced}"


def costs_lines(costs: Mapping[str, CallCosts]) -> Iterator[str]:
    """Yield a line for each model: its calls and what they cost."""
    for name, one in sorted(costs.items()):
        price = costs_text(one) if one.priced else "price not known"
        yield f"{name}: {one.calls:,} calls, {price}"
