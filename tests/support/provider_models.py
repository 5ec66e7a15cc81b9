"""Models of real providers as Waybill's settings name them, served by the simulator in their protocols."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import SecretStr

from router_core.pricing import Price
from tasks.providers import Deployment, Provider
from tasks.providers.interface import Transport
from tasks.settings.price_list import listed_price
from tests.support.provider_calls import Called, opened, outcome_of
from workers.simulator import ModelProfile, SimulatorProcess, provider_config


@dataclass(frozen=True)
class ProviderModel:
    """A model of a provider.

    Attributes:
        provider: The simulator's name of the protocol.
        litellm: LiteLLM's model string.
        name: The provider's own name of the model, as the simulator knows it.
    """

    provider: str
    litellm: str
    name: str

    @property
    def profile(self) -> ModelProfile:
        """The simulator's model, with its prices."""
        return next(model for model in provider_config().models if model.name == self.name)

    @property
    def price(self) -> Price:
        """The price in LiteLLM's list, else the simulator's."""
        profile = self.profile
        own = Price(
            profile.input_price,
            profile.output_price,
            cached_input=profile.cached_input_price,
            cache_write=profile.cache_write_price,
            request=profile.request_fee,
        )
        return listed_price(self.litellm) or own

    def deployment(self, providers: SimulatorProcess, *, transport: Transport = "litellm") -> Deployment:
        """Return the model as configured; over the direct transport it has OpenAI's prefix."""
        return Deployment(
            self.name,
            f"openai/{self.name}" if transport == "direct" else self.litellm,
            api_base=providers.url_of(self.provider),
            api_key=SecretStr("sk-canary-key"),
            timeout_s=30,
            transport=transport,
        )


_BEDROCK = "anthropic.claude-sonnet-4-5-20250929-v1:0"
_LLAMA = "meta-llama/Llama-3.1-8B-Instruct"
PROVIDER_MODELS = {
    "openai": ProviderModel("openai", "openai/gpt-4o-mini", "gpt-4o-mini"),
    "openai reasoning": ProviderModel("openai", "openai/gpt-5-mini", "gpt-5-mini"),
    "anthropic": ProviderModel("anthropic", "anthropic/claude-sonnet-4-5", "claude-sonnet-4-5"),
    "gemini": ProviderModel("gemini", "gemini/gemini-2.5-flash", "gemini-2.5-flash"),
    "deepseek": ProviderModel("deepseek", "deepseek/deepseek-chat", "deepseek-chat"),
    "deepseek reasoning": ProviderModel("deepseek", "deepseek/deepseek-reasoner", "deepseek-reasoner"),
    "perplexity": ProviderModel("perplexity", "perplexity/sonar", "sonar"),
    "mistral": ProviderModel("mistral", "mistral/mistral-small-latest", "mistral-small-latest"),
    "mistral reasoning": ProviderModel("mistral", "mistral/magistral-small-latest", "magistral-small-latest"),
    "bedrock": ProviderModel("bedrock", f"bedrock/converse/{_BEDROCK}", _BEDROCK),
    "vllm": ProviderModel("vllm", f"hosted_vllm/{_LLAMA}", _LLAMA),
    "xai": ProviderModel("xai", "xai/grok-3-mini", "grok-3-mini"),
    "openrouter": ProviderModel("openrouter", "openrouter/openai/gpt-4o-mini", "openai/gpt-4o-mini"),
}  # fmt: skip
#: those whose requests and replies have OpenAI's shape: the direct transport can call them, too
OPENAI_SHAPED = [
    name
    for name, model in PROVIDER_MODELS.items()
    if model.provider not in ("anthropic", "gemini", "bedrock")
]


@dataclass(frozen=True)
class Answered(Called):
    """What came of a call, and what the provider counted for it."""

    received: int
    billed: int
    """Micro-dollars."""


def answers_of(
    providers: SimulatorProcess, deployment: Deployment, *bodies: Mapping[str, Any]
) -> list[Answered]:
    """Make these calls, one after the other."""

    async def scenario() -> list[Answered]:
        async with opened() as provider:
            return [await _answer(providers, provider, deployment, body) for body in bodies]

    return asyncio.run(scenario())


async def _answer(
    providers: SimulatorProcess, provider: Provider, deployment: Deployment, body: Mapping[str, Any]
) -> Answered:
    before = providers.client.stats()
    outcome = await outcome_of(provider, deployment, body)
    after = providers.client.stats()
    received, billed = (after[name] - before[name] for name in ("received", "billed_micro_usd"))
    return Answered(outcome, received, billed)
