"""Options whose amount must be more than nothing, which no range of Typer says."""

from __future__ import annotations

import math
from typing import Any

import typer

#: names a budget in dollars and its range
USD_ABOVE_0 = "USD>0"


def above_0(amount: float | None) -> float | None:
    """Return the amount of an option, None without one; raises BadParameter for 0, less, and no number."""
    if amount is not None and not 0 < amount < math.inf:
        raise typer.BadParameter(f"{amount:g} is not a number above 0")
    return amount


def budget_option(text: str) -> Any:
    """Return the option of a budget with this help."""
    return typer.Option(metavar=USD_ABOVE_0, callback=above_0, help=text)
