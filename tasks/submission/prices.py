"""The prices that a batch keeps from its submission on."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from router_core.pricing import Price
from router_core.pricing.tables import to_json
from tasks.errors import UsageError
from tasks.settings import ModelSettings, Settings


def stored_prices(settings: Settings) -> dict[str, Any]:
    """Return the fields of `BatchOptions` that hold the prices of all models.

    Raises:
        SettingsError: A model has no price, and may not be called without one.
    """
    prices = {model.name: _price(model) for model in settings.models}
    return {
        "prices": {name: price.pair if price else None for name, price in prices.items()},
        "kind_prices": {
            name: to_json(price) for name, price in prices.items() if price and price.is_detailed
        },
    }


def refuse_unpriced(names: Collection[str]) -> None:
    """Refuse a routing budget over models without a price; raises UsageError if there are any."""
    if names:
        raise UsageError(
            f"a routing budget needs the price of every model; not known: {', '.join(names)}"
            " (input_price and output_price under [[models]], 0 if it is free)"
        )


def _price(model: ModelSettings) -> Price | None:
    price = model.price  # raises SettingsError for an unpriced model without `allow_unpriced`
    return price if model.known_price else None
