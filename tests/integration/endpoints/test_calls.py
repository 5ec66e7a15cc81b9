"""Calls to every endpoint: failures over both transports, and providers that only LiteLLM can call."""

from __future__ import annotations

import asyncio
import logging
import traceback
import warnings
from typing import Any

import pytest
from pydantic import SecretStr

from tasks.providers import Deployment, ErrorKind, ProviderError, Reply
from tasks.providers.composite_provider import CompositeProvider
from tasks.providers.interface import Transport
from tasks.providers.litellm_provider import LiteLLMProvider
from workers.simulator import SimulatorProcess

RESPONSES, COMPLETIONS, EMBEDDINGS, MODERATIONS = (
    "/v1/responses", "/v1/completions", "/v1/embeddings", "/v1/moderations",
)  # fmt: skip
KEYS = {RESPONSES: "input", COMPLETIONS: "prompt", EMBEDDINGS: "input", MODERATIONS: "input"}
CANARY, CANARY_KEY = "canary-prompt-7f3a", "sk-canary-key-91bc"
#: the simulator's fault -> the kind of the error, and whether it may have been billed
FAULTS = {
    "status=500": (ErrorKind.SERVER, False),
    "rate_limit_seconds": (ErrorKind.RATE_LIMIT, False),
    "unauthorized": (ErrorKind.AUTHENTICATION, False),
    "context_length": (ErrorKind.CONTEXT_WINDOW, False),
    "content_policy": (ErrorKind.CONTENT_POLICY, False),
    "reset": (ErrorKind.CONNECTION, True),
    "html": (ErrorKind.INVALID_REPLY, True),
    "truncated": (ErrorKind.INVALID_REPLY, True),
    "no_choices": (ErrorKind.INVALID_REPLY, True),
    "hang": (ErrorKind.TIMEOUT, True),
}


def deployment(simulator: SimulatorProcess, transport: Transport = "direct", **changes: Any) -> Deployment:
    values = {"litellm_model": "openai/sim-nano", "api_base": simulator.base_url, "timeout_s": 1.5, **changes}
    return Deployment("nano", api_key=SecretStr(CANARY_KEY), transport=transport, **values)


def call(
    to: Deployment, endpoint: str, *, provider: type[Any] = CompositeProvider, **body: Any
) -> Reply | ProviderError:
    async def run() -> Reply | ProviderError:
        client = provider()
        try:
            reply: Reply = await client.complete(to, body, endpoint=endpoint)
            return reply
        except ProviderError as error:
            return error
        finally:
            await client.aclose()

    return asyncio.run(run())


def received(simulator: SimulatorProcess) -> int:
    return int(simulator.client.stats()["received"])


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("endpoint", KEYS)
@pytest.mark.parametrize("client", [CompositeProvider, LiteLLMProvider])
def test_a_failure_has_its_kind_and_is_one_call_that_tells_nothing(
    simulator: SimulatorProcess,
    client: type[Any],
    endpoint: str,
    fault: str,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    if client is LiteLLMProvider and endpoint == MODERATIONS:
        pytest.skip("LiteLLM is not used for moderations")
    caplog.set_level(logging.DEBUG)
    before = received(simulator)
    body = {KEYS[endpoint]: f"{CANARY} [[sim:{fault}]]"}
    error = call(deployment(simulator), endpoint, provider=client, **body)
    assert isinstance(error, ProviderError), error
    assert (error.kind, error.maybe_billed) == FAULTS[fault]
    assert received(simulator) - before == 1
    told = "".join(traceback.format_exception(error)) + caplog.text + "".join(capfd.readouterr())
    assert [secret for secret in (CANARY, CANARY_KEY) if secret in told] == []


@pytest.mark.parametrize("client", [CompositeProvider, LiteLLMProvider])
def test_vectors_come_as_they_were_asked_for_and_no_warning_quotes_them(
    simulator: SimulatorProcess, client: type[Any]
) -> None:
    to = deployment(simulator)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        # LiteLLM's setting for these warnings is the process's; the test puts its own in front of it.
        warnings.filterwarnings("ignore", message="Pydantic serializer warnings")
        plain = call(to, EMBEDDINGS, provider=client, input=["a", "b"])
        packed = call(to, EMBEDDINGS, provider=client, input="a", encoding_format="base64")
    assert isinstance(plain, Reply), plain
    assert isinstance(packed, Reply), packed
    assert isinstance(plain.body["data"][0]["embedding"], list)
    assert isinstance(packed.body["data"][0]["embedding"], str)
    assert plain.usage is not None
    assert plain.usage.completion_tokens == 0


def test_a_key_of_another_provider_never_goes_to_openai(simulator: SimulatorProcess) -> None:
    to = deployment(simulator, litellm_model="mistral/guard", api_base=None)
    error = call(to, MODERATIONS, input="hello")
    assert isinstance(error, ProviderError)
    assert (error.kind, error.maybe_billed) == (ErrorKind.INTERNAL, False)


PROVIDERS = {
    "openai": ("openai/sim-nano", "/openai/v1"),
    "anthropic": ("anthropic/sim-nano", "/anthropic"),
    "mistral": ("mistral/sim-nano", "/mistral/v1"),
    "deepseek": ("deepseek/sim-nano", "/deepseek"),
}


@pytest.mark.parametrize("name", PROVIDERS)
def test_responses_of_providers_without_that_endpoint_are_translated(
    simulator: SimulatorProcess, name: str
) -> None:
    model, path = PROVIDERS[name]
    base = simulator.base_url.removesuffix("/v1") + path
    to = deployment(simulator, litellm_model=model, api_base=base, timeout_s=20)
    before = received(simulator)
    parts = [{"type": "input_text", "text": "What is 2 + 2?"}]
    body = {"input": [{"role": "user", "content": parts}], "instructions": "be brief"}
    reply = call(to, RESPONSES, provider=LiteLLMProvider, max_output_tokens=40, **body)
    assert isinstance(reply, Reply), reply
    assert received(simulator) - before == 1
    assert (reply.body["object"], reply.body["model"]) == ("response", "nano")
    assert any(item["type"] == "message" for item in reply.body["output"])
    assert reply.usage is not None
    assert 0 < reply.usage.completion_tokens <= 40


@pytest.mark.parametrize("name", ["anthropic", "mistral"])
def test_completions_of_providers_without_that_endpoint_are_translated(
    simulator: SimulatorProcess, name: str
) -> None:
    model, path = PROVIDERS[name]
    base = simulator.base_url.removesuffix("/v1") + path
    to = deployment(simulator, litellm_model=model, api_base=base, timeout_s=20)
    reply = call(to, COMPLETIONS, provider=LiteLLMProvider, prompt="Once upon a time", max_tokens=12)
    assert isinstance(reply, Reply), reply
    assert reply.body["object"] == "text_completion"
    assert reply.body["choices"][0]["text"]
