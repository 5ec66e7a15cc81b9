"""Calls to every endpoint: failures over both transports, and providers that only LiteLLM can call."""

from __future__ import annotations

import logging
import traceback
import warnings
from typing import Any

import pytest
from pydantic import SecretStr

from tasks.providers import Deployment, ErrorKind
from tasks.providers.composite_provider import CompositeProvider
from tasks.providers.interface import Transport
from tasks.providers.litellm_provider import LiteLLMProvider
from tasks.providers.litellm_setup import import_litellm
from tests.support.provider_calls import call
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


#: LiteLLM is not used for moderations
WAYS = [
    *((CompositeProvider, endpoint) for endpoint in KEYS),
    *((LiteLLMProvider, endpoint) for endpoint in KEYS if endpoint != MODERATIONS),
]


@pytest.fixture(scope="module", autouse=True)
def _loaded() -> None:
    """Loads LiteLLM, which takes longer than the shortest timeout below."""
    import_litellm()


def deployment(simulator: SimulatorProcess, transport: Transport = "direct", **changes: Any) -> Deployment:
    values = {"litellm_model": "openai/sim-nano", "api_base": simulator.base_url, "timeout_s": 20, **changes}
    return Deployment("nano", api_key=SecretStr(CANARY_KEY), transport=transport, **values)


def received(simulator: SimulatorProcess) -> int:
    return int(simulator.client.stats()["received"])


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize(("client", "endpoint"), WAYS)
def test_a_failure_has_its_kind_and_is_one_call_that_tells_nothing(
    simulator: SimulatorProcess,
    client: type[Any],
    endpoint: str,
    fault: str,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level(logging.DEBUG)
    before = received(simulator)
    body = {KEYS[endpoint]: f"{CANARY} [[sim:{fault}]]"}
    to = deployment(simulator, timeout_s=1.5 if fault == "hang" else 200)
    error = call(to, body, endpoint=endpoint, provider=client).error
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
        requests: list[dict[str, Any]] = [{"input": ["a", "b"]}, {"input": "a", "encoding_format": "base64"}]
        plain, packed = (
            call(to, request, endpoint=EMBEDDINGS, provider=client).reply for request in requests
        )
    assert isinstance(plain.body["data"][0]["embedding"], list)
    assert isinstance(packed.body["data"][0]["embedding"], str)
    assert plain.usage is not None
    assert plain.usage.completion_tokens == 0


def test_a_key_of_another_provider_never_goes_to_openai(simulator: SimulatorProcess) -> None:
    to = deployment(simulator, litellm_model="mistral/guard", api_base=None)
    error = call(to, {"input": "hello"}, endpoint=MODERATIONS).error
    assert (error.kind, error.maybe_billed) == (ErrorKind.INTERNAL, False)


@pytest.mark.parametrize("name", ["openai", "anthropic", "mistral", "deepseek"])
def test_responses_of_providers_without_that_endpoint_are_translated(
    simulator: SimulatorProcess, name: str
) -> None:
    to = deployment(simulator, litellm_model=f"{name}/sim-nano", api_base=simulator.url_of(name))
    before = received(simulator)
    parts = [{"type": "input_text", "text": "What is 2 + 2?"}]
    turn = {"role": "user", "content": parts}
    body = {"input": [turn], "instructions": "be brief", "max_output_tokens": 40}
    reply = call(to, body, endpoint=RESPONSES, provider=LiteLLMProvider).reply
    assert received(simulator) - before == 1
    assert (reply.body["object"], reply.body["model"]) == ("response", "nano")
    assert any(item["type"] == "message" for item in reply.body["output"])
    assert reply.usage is not None
    assert 0 < reply.usage.completion_tokens <= 40


@pytest.mark.parametrize("name", ["anthropic", "mistral"])
def test_completions_of_providers_without_that_endpoint_are_translated(
    simulator: SimulatorProcess, name: str
) -> None:
    to = deployment(simulator, litellm_model=f"{name}/sim-nano", api_base=simulator.url_of(name))
    body = {"prompt": "Once upon a time", "max_tokens": 12}
    reply = call(to, body, endpoint=COMPLETIONS, provider=LiteLLMProvider).reply
    assert reply.body["object"] == "text_completion"
    assert reply.body["choices"][0]["text"]
