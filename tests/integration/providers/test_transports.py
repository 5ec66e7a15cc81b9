"""Both transports against the simulator: every failure, over real HTTP and through the real LiteLLM."""

from __future__ import annotations

import asyncio
import json
import logging
import traceback
from dataclasses import replace
from typing import get_args

import pytest
from pydantic import SecretStr

from tasks.providers import (
    Deployment,
    ErrorKind,
    ModelPausedError,
    ProviderError,
    Reply,
    RetryableError,
    TerminalError,
)
from tasks.providers.composite_provider import CompositeProvider
from tasks.providers.interface import Transport
from tasks.providers.litellm_setup import import_litellm
from tests.support.ports import free_port
from workers.simulator import Fault, SimulatorProcess

K = ErrorKind
F = Fault
CANARY_PROMPT = "canary-prompt-7f3a"
CANARY_KEY = "sk-canary-key-91bc"

# The simulator's fault -> the error: its class, its kind, its status, whether it may have been billed.
ERRORS: dict[Fault, tuple[type[ProviderError], ErrorKind, int | None, bool]] = {
    F.RATE_LIMIT_SECONDS: (RetryableError, K.RATE_LIMIT, 429, False),
    F.RATE_LIMIT_DATE: (RetryableError, K.RATE_LIMIT, 429, False),
    F.RATE_LIMIT_HUGE: (RetryableError, K.RATE_LIMIT, 429, False),
    F.RATE_LIMIT_NEGATIVE: (RetryableError, K.RATE_LIMIT, 429, False),
    F.QUOTA: (ModelPausedError, K.PAYMENT, 429, False),
    F.SERVER_ERROR: (RetryableError, K.SERVER, 500, False),
    F.BAD_GATEWAY: (RetryableError, K.SERVER, 502, False),
    F.UNAVAILABLE: (RetryableError, K.SERVER, 503, False),
    F.OVERLOADED: (RetryableError, K.SERVER, 529, False),
    F.UNAUTHORIZED: (ModelPausedError, K.AUTHENTICATION, 401, False),
    F.PAYMENT_REQUIRED: (ModelPausedError, K.PAYMENT, 402, False),
    F.FORBIDDEN: (ModelPausedError, K.PERMISSION, 403, False),
    F.CONTEXT_LENGTH: (TerminalError, K.CONTEXT_WINDOW, 400, False),
    F.CONTENT_POLICY: (TerminalError, K.CONTENT_POLICY, 400, False),
    F.HANG: (RetryableError, K.TIMEOUT, None, True),
    F.HANG_BILLED: (RetryableError, K.TIMEOUT, None, True),
    F.DRIP: (RetryableError, K.TIMEOUT, 200, True),
    F.RESET: (RetryableError, K.CONNECTION, 200, True),
    F.HTML: (RetryableError, K.INVALID_REPLY, 200, True),
    F.TRUNCATED: (RetryableError, K.INVALID_REPLY, 200, True),
    F.NO_CHOICES: (RetryableError, K.INVALID_REPLY, 200, True),
    F.EMPTY_CONTENT: (RetryableError, K.INVALID_REPLY, 200, True),
    F.HUGE_BODY: (RetryableError, K.INVALID_REPLY, 200, True),
}
BAD_USAGE = (F.NO_USAGE, F.ABSURD_USAGE)


@pytest.fixture(scope="module", params=get_args(Transport))
def deployment(request: pytest.FixtureRequest, simulator: SimulatorProcess) -> Deployment:
    deployment = Deployment(
        "nano",
        "openai/sim-nano",
        api_base=simulator.base_url,
        api_key=SecretStr(CANARY_KEY),
        timeout_s=200,
        transport=request.param,
    )
    call(deployment, "warm up")  # The first call loads LiteLLM and its tables.
    return deployment


def call(deployment: Deployment, prompt: str, **options: object) -> Reply:
    async def scenario() -> Reply:
        provider = CompositeProvider()
        try:
            return await provider.complete(
                deployment, {"messages": [{"role": "user", "content": prompt}], **options}
            )
        finally:
            await provider.aclose()

    return asyncio.run(scenario())


def failure_of(deployment: Deployment, fault: Fault) -> ProviderError:
    if ERRORS[fault][1] is K.TIMEOUT:
        deployment = replace(deployment, timeout_s=1.5)
    with pytest.raises(ProviderError) as caught:
        call(deployment, f"{CANARY_PROMPT} [[sim:{fault}]]")
    return caught.value


def received(simulator: SimulatorProcess) -> int:
    count: int = simulator.client.stats()["received"]
    return count


def test_the_table_covers_every_failure_of_the_simulator() -> None:
    assert set(Fault) == {*ERRORS, *BAD_USAGE}


def test_an_answer_is_a_chat_completion_under_the_configured_name(deployment: Deployment) -> None:
    reply = call(deployment, "What is 2 + 2?", max_tokens=20)
    assert reply.body["model"] == "nano"
    assert reply.body["object"] == "chat.completion"
    assert reply.body["choices"][0]["message"]["content"]
    assert json.loads(json.dumps(reply.body)) == reply.body
    assert reply.usage is not None
    assert reply.usage.prompt_tokens == reply.body["usage"]["prompt_tokens"]
    assert 0 < reply.usage.completion_tokens <= 20
    assert 0 < reply.latency_s < deployment.timeout_s


@pytest.mark.parametrize("fault", list(ERRORS))
def test_each_failure_is_classified_after_a_single_request(
    simulator: SimulatorProcess, deployment: Deployment, fault: Fault
) -> None:
    before = simulator.client.stats()
    error = failure_of(deployment, fault)
    after = simulator.client.stats()
    assert (type(error), error.kind, error.status, error.maybe_billed) == ERRORS[fault]
    assert after["received"] - before["received"] == 1
    # A call that the provider billed is never taken as free.
    assert error.maybe_billed or after["billed"] == before["billed"]


@pytest.mark.parametrize("fault", BAD_USAGE)
def test_an_answer_without_plausible_usage_is_marked(deployment: Deployment, fault: Fault) -> None:
    reply = call(deployment, f"[[sim:{fault}]]")
    assert reply.usage is None
    assert reply.body["choices"][0]["message"]["content"]


@pytest.mark.parametrize(
    ("fault", "least_s", "most_s"),
    [
        (F.RATE_LIMIT_SECONDS, 1, 1),
        (F.RATE_LIMIT_DATE, 0, 2),
        (F.RATE_LIMIT_HUGE, 600, 600),
        (F.RATE_LIMIT_NEGATIVE, 0, 0),
    ],
)
def test_retry_after_is_passed_on_within_bounds(
    deployment: Deployment, fault: Fault, least_s: float, most_s: float
) -> None:
    waits_s = failure_of(deployment, fault).retry_after_s
    assert waits_s is not None
    assert least_s <= waits_s <= most_s


def test_codes_of_providers_are_kept(deployment: Deployment) -> None:
    assert failure_of(deployment, F.QUOTA).code == "insufficient_quota"


def test_an_unknown_model_may_be_known_elsewhere(deployment: Deployment) -> None:
    with pytest.raises(TerminalError) as caught:
        call(replace(deployment, litellm_model="openai/sim-unknown"), "hello")
    assert caught.value.kind is K.NOT_FOUND
    assert caught.value.try_other_model


def test_a_refused_connection_has_cost_nothing(deployment: Deployment) -> None:
    with pytest.raises(RetryableError) as caught:
        call(replace(deployment, api_base=f"http://127.0.0.1:{free_port()}/v1"), "hello")
    assert caught.value.kind is K.CONNECTION
    assert not caught.value.maybe_billed


@pytest.mark.parametrize("fault", list(ERRORS))
def test_neither_prompt_nor_key_leaves_with_an_error(
    deployment: Deployment, fault: Fault, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    error = failure_of(deployment, fault)
    assert error.__cause__ is None
    assert error.__context__ is None
    printed = capfd.readouterr()
    shown = [str(error), repr(error), repr(vars(error)), *traceback.format_exception(error)]
    everything = "\n".join([*shown, repr(deployment), caplog.text, printed.out, printed.err])
    assert CANARY_PROMPT not in everything
    assert CANARY_KEY not in everything


def test_litellm_runs_no_logging_handler(deployment: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    """The handlers cost CPU time and get prompts and answers, so they must not run at all."""
    calls: list[str] = []

    async def handler(*_: object, **__: object) -> None:
        calls.append("a handler")

    logging_class = import_litellm().litellm_core_utils.litellm_logging.Logging
    for name in ("async_success_handler", "async_failure_handler"):
        monkeypatch.setattr(logging_class, name, handler)
    call(deployment, "hello")
    failure_of(deployment, F.SERVER_ERROR)
    assert calls == []


def test_hundreds_of_calls_share_one_provider(simulator: SimulatorProcess, deployment: Deployment) -> None:
    async def scenario() -> list[Reply]:
        provider = CompositeProvider()
        try:
            return await asyncio.gather(
                *(
                    provider.complete(deployment, {"messages": [{"role": "user", "content": f"ask {n}"}]})
                    for n in range(200)
                )
            )
        finally:
            await provider.aclose()

    before = received(simulator)
    replies = asyncio.run(scenario())
    assert len({reply.body["id"] for reply in replies}) == 200
    assert received(simulator) - before == 200
