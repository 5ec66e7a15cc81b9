"""The settings of a model: how it is called, and at what price."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Annotated, Self, TypeAlias

from pydantic import Field, PrivateAttr, SecretStr, field_validator, model_validator

from router_core.pricing import Price
from tasks.capabilities.capabilities import Capabilities
from tasks.endpoints.moderations import MODERATIONS
from tasks.endpoints.registry import ENDPOINTS
from tasks.errors import SettingsError
from tasks.parameters.extra import expanded
from tasks.providers.interface import OPENAI_PREFIX, Transport
from tasks.settings.capabilities import CapabilitySettings, Count
from tasks.settings.listed_capabilities import listed_capabilities
from tasks.settings.listed_endpoints import UNPROVEN, listed_endpoints
from tasks.settings.price_list import is_openais, listed_entry, listed_price
from tasks.settings.prices import PriceSettings

#: the most inputs of one call for embeddings at providers that take few
_MAX_INPUTS = {"cohere": 96, "gemini": 100, "vertex_ai": 250}


#: far more than any provider allows, and still a number that can be reckoned with
_Limit: TypeAlias = Annotated[int, Field(gt=0, le=10**12)]


class ModelSettings(PriceSettings):
    """A model that requests may be sent to, an entry of `[[models]]`."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:/@-]{0,127}$")
    #: LiteLLM's model string, such as `openai/gpt-4o-mini`
    litellm: str
    #: `auto` sends plain requests directly, with much less CPU time, and all others through LiteLLM;
    #: `litellm` and `direct` (for an OpenAI-compatible `api_base`) send all of them one way
    transport: Transport = "auto"
    api_base: str | None = None
    #: the environment variable that holds the key; the key itself is never in a settings file
    api_key_env: str | None = None
    #: call the model even though its price is unknown: its calls count as free, so no budget may be set
    allow_unpriced: bool = False
    rpm: _Limit | None = None
    tpm: _Limit | None = None
    max_concurrency: _Limit = 256
    timeout_s: float = Field(default=120.0, gt=0)
    #: sent with requests that set no `max_tokens`: without a limit there is no worst case to reserve
    max_tokens: Count = 1024
    #: the answer length that cost estimates assume
    expected_tokens: Count = 200
    #: the most searches of its provider that one call makes, where the request or the model asks for any
    max_searches: int = Field(default=5, ge=0, le=1000)
    #: the expected mean score on the labels' scale, used while the model has few labels (cold start)
    prior: float | None = Field(default=None, allow_inf_nan=False)
    #: whether prompts may be routed to it; if not, it only answers requests that name it, and may judge
    routed: bool = True
    #: parameters beyond OpenAI's API that requests may set: names, and presets (`vllm`, `sglang`,
    #: `llama.cpp`, `openrouter`, `anthropic`)
    extra_params: tuple[str, ...] = ()
    #: the paths of the API that it offers, such as `/v1/embeddings`; default: by LiteLLM's list
    endpoints: tuple[str, ...] | None = None
    #: the most inputs of one call for embeddings, and their most tokens: a longer list becomes several calls;
    #: default: 512, or what the provider takes
    max_inputs: Count | None = None
    max_inputs_tokens: Count = 300_000
    #: what it takes and gives; what is not set is as LiteLLM's list says, or assumed
    capabilities: CapabilitySettings = CapabilitySettings()
    #: the vendor, to detect a judge's bias for its own family; the default is LiteLLM's provider
    family: str | None = None
    _stored_price: Price | None = PrivateAttr(default=None)

    @field_validator("extra_params")
    @classmethod
    def _extra_params_are_not_the_operators(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        expanded(names)
        return names

    @field_validator("endpoints")
    @classmethod
    def _endpoints_exist(cls, paths: tuple[str, ...] | None) -> tuple[str, ...] | None:
        unknown = [path for path in paths or () if path not in ENDPOINTS]
        if unknown:
            raise ValueError(f"{unknown[0]!r} is no endpoint: {', '.join(ENDPOINTS)}")
        return paths

    @model_validator(mode="after")
    def _direct_has_api_base(self) -> Self:
        name = self.litellm.removeprefix(OPENAI_PREFIX)
        if self.transport == "direct" and (self.api_base is None or name in ("", self.litellm)):
            raise ValueError(f'transport = "direct" needs api_base and litellm = "{OPENAI_PREFIX}NAME"')
        return self

    @property
    def extra_parameters(self) -> frozenset[str]:
        """The names in `extra_params`, with those of the presets."""
        return expanded(self.extra_params)

    @property
    def known_capabilities(self) -> Capabilities:
        """What the settings and LiteLLM's list say of the model, and the parameters that it takes."""
        known = self.capabilities.known(self.litellm)
        return replace(
            known,
            cannot=known.cannot | (ENDPOINTS.keys() - self.offered_endpoints),
            unproven=self._unproven_endpoints,
            extra=self.extra_parameters,
            answer_tokens=self.answer_tokens,
            routed=self.is_candidate,
            adapter=self._adapter,
        )

    @property
    def offered_endpoints(self) -> frozenset[str]:
        """The paths of the API that it offers."""
        named = listed_endpoints(self.litellm) if self.endpoints is None else frozenset(self.endpoints)
        # They are sent over HTTP as they are, which other providers' names and keys are not made for.
        return named if self.litellm.startswith(OPENAI_PREFIX) else named - {MODERATIONS.path}

    @property
    def _unproven_endpoints(self) -> frozenset[str]:
        """The endpoints that a server with OpenAI's API may offer, where no setting and no list says so."""
        is_known = self.endpoints is not None or bool(listed_entry(self.litellm))
        return frozenset() if is_known or not self.litellm.startswith(OPENAI_PREFIX) else UNPROVEN

    @property
    def inputs_per_call(self) -> int:
        """The most inputs of one call for embeddings."""
        return self.max_inputs or _MAX_INPUTS.get(self.litellm.partition("/")[0], 512)

    @property
    def is_candidate(self) -> bool:
        """Whether requests may be routed to it: it is not, if all that it offers are embeddings."""
        return self.routed and any(ENDPOINTS[path].routed for path in self.offered_endpoints)

    @property
    def _adapter(self) -> str | None:
        """LiteLLM's name of the model; None where all parameters are sent: over HTTP, or to an own server."""
        provider, _, name = self.litellm.partition("/")
        is_own = provider == "openai" and self.api_base is not None and not is_openais(name)
        return None if self.transport == "direct" or provider == "hosted_vllm" or is_own else self.litellm

    @property
    def answer_tokens(self) -> int:
        """The limit of an answer for which the request sets none: `max_tokens`, or the model's if lower."""
        limit = self.capabilities.max_output or listed_capabilities(self.litellm).max_output
        return min(self.max_tokens, limit) if limit else self.max_tokens

    @property
    def known_price(self) -> Price | None:
        """The price from the settings, else from LiteLLM's price list; None if neither has one."""
        return self._stored_price or self.own_price or listed_price(self.litellm)

    def at_price(self, price: Price) -> ModelSettings:
        """Return the model at another price: that which was stored with a batch."""
        model = self.model_copy()
        model._stored_price = price
        return model

    @property
    def price(self) -> Price:
        """The price that the calls are charged at; zero for an unpriced model.

        Raises:
            SettingsError: The price is unknown and `allow_unpriced` is false.
        """
        known = self.known_price
        if known is None and not self.allow_unpriced:
            raise SettingsError(
                f"the price of model {self.name!r} is not known: set its input_price and output_price "
                "(dollars per million tokens), or allow_unpriced = true to call it without counting its cost"
            )
        return known or Price(0.0, 0.0)

    def api_key(self) -> SecretStr | None:
        """Return the key from the environment; only workers that call providers need one."""
        value = os.environ.get(self.api_key_env) if self.api_key_env else None
        return SecretStr(value) if value else None
