"""Micro-dollars, the unit of all stored money."""

from __future__ import annotations

MICROS_PER_DOLLAR = 1_000_000


def micro_usd(dollars: float | None) -> int | None:
    """Return a budget in whole micro-dollars, rounded down so that it is never exceeded; None for None."""
    # Rounded to three digits first: in binary, 1.001 dollars are 1000999.9999999999 micro-dollars.
    return None if dollars is None else int(round(dollars * MICROS_PER_DOLLAR, 3))
