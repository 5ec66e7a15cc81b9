"""The model names for LiteLLM, whose provider prefix decides how much CPU time a call takes."""

from types import SimpleNamespace
from typing import Any

import pytest

from tasks.providers.interface import Deployment
from tasks.providers.litellm_provider import fastest_model_name

LITELLM = SimpleNamespace(open_ai_chat_completion_models={"gpt-5"})
PLAIN: dict[str, Any] = {"messages": [{"role": "user", "content": "hello"}], "max_tokens": 8}


def name_of(model: str, body: dict[str, Any] = PLAIN, api_base: str | None = "http://127.0.0.1:1/v1") -> str:
    return fastest_model_name(LITELLM, Deployment("m", model, api_base=api_base), body)


def test_a_plain_request_to_a_custom_endpoint_avoids_the_openai_sdk() -> None:
    assert name_of("openai/llama-3") == "hosted_vllm/llama-3"


@pytest.mark.parametrize("model", ["openai/gpt-5", "openai/azure/gpt-5", "anthropic/claude", "mistral/small"])
def test_a_model_whose_parameters_litellm_knows_keeps_its_prefix(model: str) -> None:
    assert name_of(model) == model


def test_without_an_api_base_the_prefix_is_kept() -> None:
    assert name_of("openai/llama-3", api_base=None) == "openai/llama-3"


@pytest.mark.parametrize(
    "extra",
    [
        {"tools": [{"type": "function", "function": {"name": "f", "strict": True}}]},
        {"reasoning_effort": "low"},
        {"messages": [{"role": "user", "content": [{"type": "text", "text": "hello"}]}]},
        {"messages": [{"role": "assistant", "tool_calls": []}]},
    ],
)
def test_what_litellm_would_rewrite_for_vllm_goes_through_the_sdk(extra: dict[str, Any]) -> None:
    assert name_of("openai/llama-3", {**PLAIN, **extra}) == "openai/llama-3"
