"""Budgets as people give them: dollars, more than none."""

from __future__ import annotations

from decimal import Decimal
from numbers import Real

from router_core.pricing import micro_usd
from router_core.pricing.money import MAX_DOLLARS
from tasks.errors import UsageError


def budget_of(dollars: object) -> int | None:
    """Return a budget in micro-dollars; None for None, which is no budget.

    Raises:
        UsageError: It is not a number of dollars, less than a millionth of one, or more than a billion.
    """
    return None if dollars is None else required_budget(dollars)


def required_budget(dollars: object) -> int:
    """Return a budget in micro-dollars; raises UsageError as `budget_of`, and for None as well."""
    if isinstance(dollars, bool) or not isinstance(dollars, Real | Decimal):
        raise UsageError(f"a budget is a number of dollars, such as 5.00, not a {type(dollars).__name__}")
    try:
        amount = float(dollars)
    except (OverflowError, ValueError):  # too large for one, or a signaling NaN
        amount = 0.0
    budget = micro_usd(amount) if 0 < amount <= MAX_DOLLARS else 0
    if not budget:
        raise UsageError(
            f"a budget is more than 0 and at most {MAX_DOLLARS:.0f} dollars; without one there is no limit"
        )
    return budget
