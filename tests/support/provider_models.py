"""Models of real providers as Waybill's settings name them, served by the simulator in their protocols."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import SecretStr

from router_core.pricing import Price
from tasks.providers import Deployment, ProviderError, Reply
from tasks.providers.composite_provider import CompositeProvider
from tasks.providers.interface import Transport
from tasks.settings.price_list import listed_price
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
            self.litellm if transport == "litellm" else f"openai/{self.name}",
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
class Answered:
    """What came of a call, and what the provider counted for it."""

    outcome: Reply | ProviderError
    received: int
    billed: int
    """Micro-dollars."""

    @property
    def reply(self) -> Reply:
        """The reply; an error is raised."""
        if isinstance(self.outcome, ProviderError):
            raise self.outcome
        return self.outcome

    @property
    def error(self) -> ProviderError:
        """The error; a reply fails the test."""
        assert isinstance(self.outcome, ProviderError), self.outcome
        return self.outcome

    @property
    def choice(self) -> dict[str, Any]:
        """The reply's first choice."""
        choice: dict[str, Any] = self.reply.body["choices"][0]
        return choice


def answers_of(
    providers: SimulatorProcess, deployment: Deployment, *bodies: Mapping[str, Any]
) -> list[Answered]:
    """Make these calls, one after the other."""

    async def scenario() -> list[Answered]:
        provider = CompositeProvider()
        try:
            return [await _answer(providers, provider, deployment, body) for body in bodies]
        finally:
            await provider.aclose()

    return asyncio.run(scenario())


async def _answer(
    providers: SimulatorProcess, provider: CompositeProvider, deployment: Deployment, body: Mapping[str, Any]
) -> Answered:
    before = providers.client.stats()
    try:
        outcome: Reply | ProviderError = await provider.complete(deployment, body)
    except ProviderError as error:
        outcome = error
    after = providers.client.stats()
    received, billed = (after[name] - before[name] for name in ("received", "billed_micro_usd"))
    return Answered(outcome, received, billed)
