"""`transport = "auto"`: what it sends directly is what LiteLLM would send, for each provider."""

from __future__ import annotations

import asyncio
import json
from importlib.metadata import version
from typing import Any, NamedTuple

import pytest
from aiohttp import web
from pydantic import SecretStr

from tasks.providers import Deployment, Provider
from tasks.providers.direct_models import direct_model
from tasks.providers.interface import Transport
from tests.support.paths import REPOSITORY
from tests.support.provider_calls import opened, outcome_of
from tests.support.provider_server import COMPLETION, serving
from tests.support.sent_requests import Recorder

ASK = {"role": "user", "content": "2 + 2?"}
SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}, "additionalProperties": False}
FUNCTION = {"name": "f", "description": "d", "strict": True, "parameters": SCHEMA}
TOOL = {"type": "function", "function": FUNCTION}
FORMAT = {"type": "json_schema", "json_schema": {"name": "x", "strict": True, "schema": SCHEMA}}
IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
CALL = {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
#: model -> whether a question with a limit and a temperature goes direct
MODELS = {
    "openai/gpt-4o-mini": True,
    "openai/gpt-4.1": True,
    "openai/gpt-5-mini": False,
    "openai/o3-mini": False,
    "openai/gpt-unheard-of": False,
    "openai/maker/some-server": True,
    "openai/gpt-oss-120b": True,
    "hosted_vllm/Qwen/Qwen3-8B": True,
    "deepseek/deepseek-chat": True,
    "deepseek/deepseek-reasoner": True,
    "perplexity/sonar": True,
    "perplexity/sonar-reasoning-pro": True,
    "perplexity/google/gemini-2.5-pro": False,  # LiteLLM calls another endpoint
    "openai/responses/some-server": False,
    "openrouter/responses/some-model": False,
    "groq/openai/gpt-oss-20b": True,
    "mistral/mistral-small-latest": True,
    "mistral/magistral-small-latest": True,
    "xai/grok-4": True,
    "xai/grok-3-mini": True,
    "together_ai/meta-llama/Llama-3.3-70B-Instruct-Turbo": True,
    "fireworks_ai/accounts/fireworks/models/llama-v3p1-8b-instruct": True,
    "fireworks_ai/llama-v3p1-8b-instruct": False,
    "openrouter/openai/gpt-4o-mini": True,
    "openrouter/anthropic/claude-sonnet-4.5": True,
    "cerebras/llama3.1-8b": True,
    "deepinfra/meta-llama/Llama-3.3-70B-Instruct": True,
    "nvidia_nim/meta/llama3-8b-instruct": False,  # LiteLLM treats some of its models by their names
    "nvidia_nim/nvidia/nemotron-4-340b-instruct": True,
    "deepinfra/mistralai/Mistral-7B-Instruct-v0.1": False,
    "openrouter/openai/gpt-5-mini": True,
    "hosted_vllm/gpt-5-clone": True,
    "openai/deepseek-ai/DeepSeek-R1": True,
    "moonshot/kimi-k2": False,  # its temperatures end at 1
    "anthropic/claude-sonnet-4-5": False,
    "cohere/command-r": False,
}
PLAIN: dict[str, Any] = {"messages": [ASK], "max_tokens": 64, "temperature": 0.5}
#: requests of many kinds: whatever goes direct must be what LiteLLM sends
REQUESTS: list[dict[str, Any]] = [
    PLAIN,
    {"messages": [ASK]},
    {**PLAIN, "messages": [{"role": "system", "content": "Be brief."}, ASK], "top_p": 0.9, "seed": 7},
    {**PLAIN, "messages": [ASK, {"role": "assistant", "content": "4"}, ASK]},
    {**PLAIN, "messages": [{"role": "developer", "content": "Be brief."}, ASK]},
    {**PLAIN, "messages": [ASK, {"role": "assistant", "content": "The answer is"}]},
    {**PLAIN, "messages": [{"role": "system", "content": "Say hello."}]},
    {**PLAIN, "messages": [{"role": "assistant", "content": "Hello."}, ASK]},
    {**PLAIN, "messages": [ASK, {"role": "user", "content": ""}]},
    {**PLAIN, "messages": [{**ASK, "name": "ann"}]},
    {**PLAIN, "messages": [{"role": "user", "content": [{"type": "text", "text": "a"}, IMAGE]}]},
    {**PLAIN, "messages": [{"role": "user", "content": [{"type": "text", "text": t} for t in "ab"]}]},
    {**PLAIN, "messages": [
        {"role": "user", "content": [{"type": "text", "text": "a", "cache_control": {"type": "ephemeral"}}]},
    ]},
    {**PLAIN, "messages": [
        ASK, {"role": "assistant", "content": None, "tool_calls": [CALL]},
        {"role": "tool", "tool_call_id": "call_1", "content": "4"}, ASK,
    ], "tools": [TOOL]},
    {"messages": [ASK], "max_completion_tokens": 64, "reasoning_effort": "low"},
    {"messages": [ASK], "max_completion_tokens": 64, "max_tokens": 32},
    {"messages": [ASK], "max_tokens": 64, "temperature": None, "stop": None, "stream": False},
    {**PLAIN, "tools": [TOOL], "tool_choice": "auto", "parallel_tool_calls": False},
    {**PLAIN, "tools": [{**TOOL, "cache_control": {"type": "ephemeral"}}]},
    {**PLAIN, "tools": [TOOL], "tool_choice": {"type": "function", "function": {"name": "f"}}},
    {**PLAIN, "response_format": {"type": "json_object"}, "stop": ["x"]},
    {**PLAIN, "response_format": FORMAT},
    {**PLAIN, "frequency_penalty": 0.5, "presence_penalty": 0.5, "logit_bias": {"5": 1}},
    {**PLAIN, "logprobs": True, "top_logprobs": 2, "user": "ann"},
    {**PLAIN, "service_tier": "flex", "store": True, "metadata": {"run": "7"}, "verbosity": "low"},
    {**PLAIN, "web_search_options": {"search_context_size": "low"}},
    {**PLAIN, "modalities": ["text", "audio"], "audio": {"voice": "alloy", "format": "wav"}},
    {**PLAIN, "top_k": 5, "thinking": {"type": "enabled", "budget_tokens": 1024}},
    {**PLAIN, "top_k": 5},
    {**PLAIN, "n": 2},
    {**PLAIN, "temperature": 0},
    {"messages": [ASK], "presence_penalty": 1.5, "tools": [TOOL], "tool_choice": "none"},
    {"messages": [ASK], "reasoning_effort": "none", "tools": [TOOL]},
]  # fmt: skip


class Received(NamedTuple):
    """What a server received, and by which way: the client's name tells."""

    path: str
    body: dict[str, Any]
    authorization: str | None
    is_direct: bool


async def received_from(
    provider: Provider, log: list[Received], deployment: Deployment, body: dict[str, Any]
) -> list[Received]:
    log.clear()
    await outcome_of(provider, deployment, json.loads(json.dumps(body)))
    return list(log)


def compare(model: str, *, end: str = "") -> dict[int, bool]:
    """Send all requests both ways, check that they are the same, and return which of them went direct."""
    log: list[Received] = []

    async def record(http: web.Request) -> web.StreamResponse:
        body = await http.json()
        if body.get("stream") is False:  # the default
            del body["stream"]
        is_direct = http.headers["User-Agent"] == "waybill"
        log.append(Received(http.path, body, http.headers.get("Authorization"), is_direct))
        return web.json_response(COMPLETION)

    async def scenario() -> dict[int, bool]:
        went: dict[int, bool] = {}
        async with serving(record) as base, opened() as provider:
            for index, body in enumerate(REQUESTS):
                found: dict[Transport, list[Received]] = {}
                for transport in ("auto", "litellm"):
                    deployment = Deployment(
                        "m", model, api_base=base + end, api_key=SecretStr("sk-key"), transport=transport,
                        extra_params=frozenset(("top_k", "thinking")), timeout_s=60,
                    )  # fmt: skip
                    found[transport] = await received_from(provider, log, deployment, body)
                went[index] = any(one.is_direct for one in found["auto"])
                auto, litellm = ([one[:3] for one in found[way]] for way in ("auto", "litellm"))
                assert auto == litellm, body
        return went

    return asyncio.run(scenario())


@pytest.mark.parametrize("model", MODELS)
def test_what_goes_direct_is_what_litellm_sends(model: str) -> None:
    went = compare(model)
    assert went[0] == MODELS[model]
    assert any(went.values()) or not MODELS[model]


@pytest.mark.parametrize("model", ["openai/maker/some-server", "hosted_vllm/x"])
def test_a_slash_at_the_end_of_a_base_changes_nothing(model: str) -> None:
    assert any(compare(model, end="/").values())


@pytest.mark.parametrize("model", [name for name, direct in MODELS.items() if direct])
def test_without_a_base_a_model_is_called_where_litellm_calls_it(model: str) -> None:
    deployment = Deployment("m", model, api_key=SecretStr("sk-key"))
    direct = direct_model(deployment)
    sent = Recorder().send(model, PLAIN)
    if sent is None:  # LiteLLM knows no address, either
        assert direct is None
    elif direct is not None:
        assert f"{direct.deployment.api_base}/chat/completions" == sent.url


@pytest.mark.parametrize(
    ("model", "base"),
    [
        ("azure/gpt-4o", None),
        ("openai/NAME", "https://x.openai.azure.com/openai/v1"),
        ("openai/NAME", "https://example.org/v1?api-version=2024"),
        ("openai/NAME", "https://example.org/v1/chat/completions"),
        ("openai/openai/gpt-4o-mini", "https://gateway.example/v1"),
        ("hosted_vllm/NAME", None),
        ("gemini/gemini-2.5-flash", None),
        ("gpt-4o-mini", None),
    ],
)
def test_what_litellm_may_call_otherwise_is_left_to_it(model: str, base: str | None) -> None:
    assert direct_model(Deployment("m", model, api_base=base)) is None


@pytest.mark.parametrize(
    ("model", "variable"),
    [
        ("openai/gpt-4o", "OPENAI_BASE_URL"),
        ("openai/gpt-4o", "OPENAI_API_BASE"),
        ("openai/gpt-4o", "OPENAI_ORGANIZATION"),
        ("openai/gpt-4o", "OPENAI_PROJECT_ID"),
        ("openai/gpt-4o", "OPENAI_CUSTOM_HEADERS"),
        ("deepseek/deepseek-chat", "DEEPSEEK_API_BASE"),
        ("groq/NAME", "GROQ_API_BASE"),
        ("openrouter/NAME", "OR_SITE_URL"),
    ],
)
def test_a_variable_that_litellm_reads_is_left_to_it(
    monkeypatch: pytest.MonkeyPatch, model: str, variable: str
) -> None:
    deployment = Deployment(f"with {variable}", model)
    monkeypatch.setenv(variable, "https://example.org/v1")
    assert direct_model(deployment) is None


@pytest.mark.parametrize("variable", ["OPENAI_ORGANIZATION", "OPENAI_CUSTOM_HEADERS"])
def test_a_variable_that_litellm_reads_for_some_requests_to_an_own_server_is_left_to_it(
    monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    deployment = Deployment(f"with {variable}", "openai/NAME", api_base="https://example.org/v1")
    monkeypatch.setenv(variable, "x")
    assert direct_model(deployment) is None


def test_the_table_is_that_of_the_installed_litellm() -> None:
    table = json.loads((REPOSITORY / "tasks/providers/direct_models.json").read_text())
    assert table["litellm"] == version("litellm"), "run: python deploy/direct_models.py"
