"""Models: what requests may be sent to, and at what price."""

from __future__ import annotations

import os
from typing import Self

from pydantic import (
    Field,
    SecretStr,
    model_validator,
)

from router_core.pricing import Price
from tasks.errors import SettingsError
from tasks.providers.interface import OPENAI_PREFIX, Transport
from tasks.settings.price_list import listed_price
from tasks.settings.sections import Section


class ModelSettings(Section):
    """One model that requests may be sent to."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:/@-]{0,127}$")
    #: LiteLLM's model string, such as `openai/gpt-4o-mini`
    litellm: str
    #: litellm reaches every provider; direct calls an OpenAI-compatible `api_base` at a fraction of the CPU
    transport: Transport = "litellm"
    api_base: str | None = None
    #: the environment variable that holds the key; the key itself is never in a file
    api_key_env: str | None = None
    #: dollars per million tokens; without both, LiteLLM's price list is asked
    input_price: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    output_price: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    #: call it although nobody knows its price: its calls count as free, so no budget may be set
    allow_unpriced: bool = False
    rpm: int | None = Field(default=None, gt=0)
    tpm: int | None = Field(default=None, gt=0)
    max_concurrency: int = Field(default=256, gt=0)
    timeout_s: float = Field(default=120.0, gt=0)
    #: sent with requests that name no `max_tokens`: without a bound no worst case can be reserved
    max_tokens: int = Field(default=1024, gt=0)
    #: the answer length that cost estimates assume
    expected_tokens: int = Field(default=200, gt=0)
    #: the mean score it is expected to have, on the labels' scale: where it starts while it has few labels
    prior: float | None = Field(default=None, allow_inf_nan=False)
    #: whether prompts may be routed to it; if not, it answers requests that name it, and may judge
    routed: bool = True
    #: its vendor, by which a judge's preference for its own family is found; unset, LiteLLM's provider
    family: str | None = None

    @model_validator(mode="after")
    def _direct_knows_where_to_call(self) -> Self:
        name = self.litellm.removeprefix(OPENAI_PREFIX)
        if self.transport == "direct" and (self.api_base is None or name in ("", self.litellm)):
            raise ValueError(f'transport = "direct" needs api_base and litellm = "{OPENAI_PREFIX}NAME"')
        return self

    @model_validator(mode="after")
    def _prices_come_in_pairs(self) -> Self:
        if (self.input_price is None) != (self.output_price is None):
            raise ValueError("set input_price and output_price, or neither of them")
        return self

    @property
    def known_price(self) -> Price | None:
        """Its price by the settings, else by LiteLLM's list; None where neither knows it."""
        if self.input_price is not None and self.output_price is not None:
            return Price(self.input_price, self.output_price)
        return listed_price(self.litellm)

    @property
    def price(self) -> Price:
        """What its calls are counted with.

        Raises:
            SettingsError: Nobody knows its price, and the settings do not say that it may be called all the
                same.
        """
        known = self.known_price
        if known is None and not self.allow_unpriced:
            raise SettingsError(
                f"the price of model {self.name!r} is not known: set its input_price and output_price "
                "(dollars per million tokens), or allow_unpriced = true to call it without counting its cost"
            )
        return known or Price(0.0, 0.0)

    def api_key(self) -> SecretStr | None:
        """Return the key, read when a worker that may call providers asks for it."""
        value = os.environ.get(self.api_key_env) if self.api_key_env else None
        return SecretStr(value) if value else None
