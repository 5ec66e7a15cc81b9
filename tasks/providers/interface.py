"""The interface of providers, and its values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from pydantic import SecretStr

from router_core.pricing import Usage
from tasks.endpoints.endpoint import CHAT_PATH

#: how a deployment is called: through LiteLLM, for any provider; directly over HTTP; or each request directly
#: that LiteLLM would send as it is
Transport = Literal["auto", "litellm", "direct"]
#: LiteLLM's prefix for deployments with OpenAI's API
OPENAI_PREFIX = "openai/"
MAX_RESPONSE_BYTES = 16 * 2**20


@dataclass(frozen=True, slots=True)
class Deployment:
    """A model as the operator configured it; its repr never shows the key.

    Attributes:
        name: Waybill's name of the model.
        litellm_model: LiteLLM's name with the provider's prefix (`openai/gpt-4o`); the direct transport needs
            a name of the form `openai/NAME`.
        api_base: The base URL. `direct` needs one; the default is the provider's own.
        api_key: The key; without one, a placeholder is sent.
        timeout_s: The time limit of a call.
        max_response_bytes: The size limit of a response's body.
        transport: How the deployment is called.
        extra_params: The parameters beyond OpenAI's API that the deployment takes.
        max_inputs: The most inputs of one call for embeddings.
        max_inputs_tokens: The most tokens of these inputs together.
    """

    name: str
    litellm_model: str
    api_base: str | None = None
    api_key: SecretStr | None = None
    timeout_s: float = 120.0
    max_response_bytes: int = MAX_RESPONSE_BYTES
    transport: Transport = "auto"
    extra_params: frozenset[str] = frozenset()
    max_inputs: int = 512
    max_inputs_tokens: int = 300_000


@dataclass(frozen=True, slots=True)
class Reply:
    """A usable answer.

    Attributes:
        body: The chat completion, as JSON values; its `model` is the deployment's name.
        usage: What the call used; None if the provider's figures are missing or not plausible: then the
            ledger charges the worst case.
        latency_s: The duration of the call.
        notes: Remarks on the answer (`mended`, `without_answer` …), which `waybill` in the results shows.
        dropped: The request's parameters that the model did not get, because it does not take them.
    """

    body: dict[str, Any]
    usage: Usage | None
    latency_s: float
    notes: Mapping[str, Any] = field(default_factory=dict)
    dropped: tuple[str, ...] = ()


class Provider(Protocol):
    """A client for the endpoints of the OpenAI API."""

    async def complete(
        self, deployment: Deployment, body: Mapping[str, Any], *, endpoint: str = CHAT_PATH
    ) -> Reply:
        """Make one call, without retries.

        Args:
            deployment: The model to call.
            body: A request (OpenAI API) without its model.
            endpoint: The path of the API that it is for.

        Raises:
            ProviderError: The call ended without a usable answer.
        """
        ...

    async def aclose(self) -> None:
        """Close every connection."""
        ...
