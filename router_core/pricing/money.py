"""Micro-dollars, the unit of all stored money."""

from __future__ import annotations

from router_core.errors import DataError

MICROS_PER_DOLLAR = 1_000_000
#: larger sums, added up, would not fit the integers of a database
MAX_DOLLARS = 1e9


def micro_usd(dollars: float | None) -> int | None:
    """Return a budget in whole micro-dollars, rounded down so that it is never exceeded; None for None.

    Raises:
        DataError: The budget is negative, not a number, or more than `MAX_DOLLARS`.
    """
    if dollars is None:
        return None
    if not 0 <= dollars <= MAX_DOLLARS:
        raise DataError(f"a budget is from 0 to {MAX_DOLLARS:.0f} dollars")
    # Rounded to three digits first: in binary, 1.001 dollars are 1000999.9999999999 micro-dollars.
    return int(round(dollars * MICROS_PER_DOLLAR, 3))
