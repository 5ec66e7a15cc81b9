"""What of a batch's request is sent to a provider, by whichever transport."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tasks.providers.interface import Endpoint

#: What a request's body may set. Anything else is not sent: LiteLLM takes its own options (`api_base`,
#: `mock_response`, `fallbacks`, `num_retries` …) from the same place, and those belong to the operator.
CHAT_PARAMETERS = frozenset(
    (
        "frequency_penalty", "function_call", "functions", "logit_bias", "logprobs", "max_completion_tokens",
        "max_tokens", "messages", "n", "parallel_tool_calls", "presence_penalty", "reasoning_effort",
        "response_format", "seed", "stop", "temperature", "tool_choice", "tools", "top_logprobs", "top_p",
        "user", "verbosity",
    )
)  # fmt: skip
#: Sent where no key is configured: LiteLLM would otherwise take one from the environment, to any base.
NO_KEY = "no-key-configured"


def chat_parameters(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters that a provider gets."""
    return {name: value for name, value in body.items() if name in CHAT_PARAMETERS}


def key_of(endpoint: Endpoint) -> str:
    """Return the key that is sent."""
    return endpoint.api_key.get_secret_value() if endpoint.api_key else NO_KEY
