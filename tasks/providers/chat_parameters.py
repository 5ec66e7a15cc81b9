"""The parameters and the key that are sent to a provider, over any transport."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tasks.providers.interface import Deployment

#: The parameters of a body that are sent. LiteLLM takes its own options (`api_base`, `mock_response`,
#: `fallbacks`, `num_retries` …) as keyword arguments too, and only the operator may set those.
CHAT_PARAMETERS = frozenset(
    (
        "frequency_penalty", "function_call", "functions", "logit_bias", "logprobs", "max_completion_tokens",
        "max_tokens", "messages", "n", "parallel_tool_calls", "presence_penalty", "reasoning_effort",
        "response_format", "seed", "stop", "temperature", "tool_choice", "tools", "top_logprobs", "top_p",
        "user", "verbosity",
    )
)  # fmt: skip
#: Sent if no key is configured: LiteLLM would otherwise send one from the environment to any `api_base`.
NO_KEY = "no-key-configured"


def chat_parameters(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters of the body that are sent to a provider."""
    return {name: value for name, value in body.items() if name in CHAT_PARAMETERS}


def key_of(deployment: Deployment) -> str:
    """Return the key to send to the deployment, or a placeholder."""
    return deployment.api_key.get_secret_value() if deployment.api_key else NO_KEY
