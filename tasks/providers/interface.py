"""The values that cross the boundary of a provider call."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from pydantic import SecretStr

#: how an endpoint is called: by LiteLLM, which knows every provider, or straight over HTTP
Transport = Literal["litellm", "direct"]
#: LiteLLM's name for endpoints that speak OpenAI's protocol, all that the direct transport can call
OPENAI_PREFIX = "openai/"
MAX_RESPONSE_BYTES = 16 * 2**20


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One model as the operator configured it; its repr never shows the key.

    `litellm_model` is LiteLLM's name with the provider's prefix (`openai/gpt-4o`). Without `api_base`,
    LiteLLM uses the provider's own; the direct transport needs one, and a model of the kind `openai/NAME`.
    Without `api_key`, a placeholder is sent.
    """

    name: str
    litellm_model: str
    api_base: str | None = None
    api_key: SecretStr | None = None
    timeout_s: float = 120.0
    max_response_bytes: int = MAX_RESPONSE_BYTES
    transport: Transport = "litellm"


@dataclass(frozen=True, slots=True)
class Reply:
    """A usable answer.

    `body` is a chat completion, safe for JSON, whose `model` is the endpoint's name. Where `usage_known` is
    False, the provider's token counts were missing or absurd: they are 0 here, and the ledger charges the
    worst case.
    """

    body: dict[str, Any]
    prompt_tokens: int
    completion_tokens: int
    latency_s: float
    usage_known: bool


class Provider(Protocol):
    """Whatever answers chat completions."""

    async def complete(self, endpoint: Endpoint, body: Mapping[str, Any]) -> Reply:
        """Make one call, without retries; `body` is a chat completion request. Raises ProviderError."""
        ...

    async def aclose(self) -> None:
        """Close what is open."""
        ...
