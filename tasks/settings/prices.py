"""The price of a model as the operator sets it, by kinds of tokens, tiers and lengths of the input."""

from __future__ import annotations

from typing import Annotated, Literal, Self, TypeAlias

from pydantic import Field, model_validator

from router_core.pricing import Price
from router_core.pricing.tables import price_of
from tasks.settings.sections import Section

#: far more than any model costs; the dearest call at it is still a number that the ledger holds
_MOST = 1_000_000
_Dollars: TypeAlias = Annotated[float, Field(ge=0, le=_MOST, allow_inf_nan=False)]
_SUFFIX = "_price"


class KindPrices(Section):
    """Prices by kind: dollars per million tokens, and for the two fees dollars per call and per search."""

    input_price: _Dollars | None = None
    output_price: _Dollars | None = None
    cached_input_price: _Dollars | None = None
    cache_write_price: _Dollars | None = None
    cache_write_1h_price: _Dollars | None = None
    audio_input_price: _Dollars | None = None
    cached_audio_input_price: _Dollars | None = None
    image_input_price: _Dollars | None = None
    citation_price: _Dollars | None = None
    reasoning_price: _Dollars | None = None
    audio_output_price: _Dollars | None = None
    image_output_price: _Dollars | None = None
    request_price: _Dollars | None = None
    search_price: _Dollars | None = None

    def amounts(self) -> dict[str, float]:
        """Return the prices that are set, by kind."""
        names = KindPrices.model_fields
        return {
            name.removesuffix(_SUFFIX): value for name in names if (value := getattr(self, name)) is not None
        }


class StepPrices(KindPrices):
    """What differs for a whole request once its input has more than `above` tokens."""

    above: int = Field(gt=0)


class PriceSettings(KindPrices):
    """The price of a model; without `input_price` and `output_price` it is that of LiteLLM's price list."""

    #: from which length of the input on a whole request costs otherwise
    price_steps: tuple[StepPrices, ...] | None = None
    #: what differs where a request names one of these as its `service_tier`
    price_tiers: dict[Literal["flex", "priority", "batch", "balanced", "ultrafast"], KindPrices] | None = None

    @model_validator(mode="after")
    def _prices_come_in_pairs(self) -> Self:
        if (self.input_price is None) != (self.output_price is None):
            raise ValueError("set input_price and output_price, or neither of them")
        others = self.amounts() or self.price_steps or self.price_tiers
        if self.input_price is None and others:
            raise ValueError("prices of other kinds need input_price and output_price")
        return self

    @property
    def own_price(self) -> Price | None:
        """The price that the operator set; None if he set none."""
        if self.input_price is None:
            return None
        return price_of(
            self.amounts(),
            steps={step.above: step.amounts() for step in self.price_steps or ()},
            tiers={str(tier): prices.amounts() for tier, prices in (self.price_tiers or {}).items()},
        )
