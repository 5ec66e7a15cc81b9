"""Options whose amount must be more than nothing, which no range of Typer says."""

from __future__ import annotations

from typing import Any

import typer

#: names a budget in dollars and its range
USD_ABOVE_0 = "USD>0"


def above_0(amount: float) -> float:
    """Return the amount of an option; raises BadParameter for 0, less, and what is no number."""
    if not amount > 0:
        raise typer.BadParameter("it must be more than 0")
    return amount


def a_budget(amount: float | None) -> float | None:
    """Return a budget in dollars, None for none; raises BadParameter for what is none."""
    from tasks.errors import UsageError
    from tasks.money.budgets import budget_of

    try:
        budget_of(amount)
    except UsageError as error:
        raise typer.BadParameter(str(error)) from None
    return amount


def budget_option(text: str) -> Any:
    """Return the option of a budget with this help."""
    return typer.Option(metavar=USD_ABOVE_0, callback=a_budget, help=text)
