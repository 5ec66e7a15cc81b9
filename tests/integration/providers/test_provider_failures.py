"""Each provider's errors, unknown models and damaged replies, in its protocol."""

from __future__ import annotations

import pytest

from tasks.providers import ErrorKind, ModelPausedError, ProviderError, RetryableError, TerminalError
from tasks.providers.interface import Transport
from tests.support.provider_models import PROVIDER_MODELS, ProviderModel, answers_of
from tests.support.provider_ways import WAYS, ask, every_way, said
from workers.simulator import Fault, SimulatorProcess

K, F = ErrorKind, Fault


def test_a_prompt_that_gemini_blocks_is_that_prompts_fault(sim: SimulatorProcess) -> None:
    answered = ask(sim, "gemini", said("[[sim:filtered]] hello"))
    assert answered.error.kind is K.CONTENT_POLICY
    assert answered.received == 1


#: the error of each failure where providers agree
AGREED: dict[Fault, tuple[type[ProviderError], ErrorKind]] = {
    F.RATE_LIMIT_SECONDS: (RetryableError, K.RATE_LIMIT),
    F.SERVER_ERROR: (RetryableError, K.SERVER),
    F.BAD_GATEWAY: (RetryableError, K.SERVER),
    F.UNAVAILABLE: (RetryableError, K.SERVER),
    F.OVERLOADED: (RetryableError, K.SERVER),
    F.QUOTA: (ModelPausedError, K.PAYMENT),
    F.PAYMENT_REQUIRED: (ModelPausedError, K.PAYMENT),
    F.UNAUTHORIZED: (ModelPausedError, K.AUTHENTICATION),
    F.FORBIDDEN: (ModelPausedError, K.PERMISSION),
    F.CONTEXT_LENGTH: (TerminalError, K.CONTEXT_WINDOW),
    F.CONTENT_POLICY: (TerminalError, K.CONTENT_POLICY),
}
_WAIT, _NO_PERMISSION = (RetryableError, K.RATE_LIMIT), (ModelPausedError, K.PERMISSION)
#: where a provider says something else, or the same for two things
OWN = {
    ("gemini", F.QUOTA): _WAIT,  # its words for a spent minute are those for a spent month
    ("gemini", F.PAYMENT_REQUIRED): _NO_PERMISSION,
    ("mistral", F.QUOTA): _WAIT,
    ("mistral reasoning", F.QUOTA): _WAIT,
    ("bedrock", F.QUOTA): _WAIT,
    ("bedrock", F.OVERLOADED): _WAIT,
    ("bedrock", F.PAYMENT_REQUIRED): _NO_PERMISSION,
    ("vllm", F.QUOTA): _WAIT,
}


@every_way
@pytest.mark.parametrize("fault", AGREED)
def test_each_providers_errors_are_told_apart_after_one_request(
    sim: SimulatorProcess, name: str, transport: Transport, fault: Fault
) -> None:
    body = said(f"[[sim:{fault}]] canary-prompt")
    answered = ask(sim, name, body, transport)
    error = answered.error
    assert (type(error), error.kind) == OWN.get((name, fault), AGREED[fault])
    assert not error.maybe_billed
    assert (answered.received, answered.billed) == (1, 0)
    assert "canary" not in f"{error!r} {error} {vars(error)}"
    if fault is F.RATE_LIMIT_SECONDS:
        assert error.retry_after_s == 1


@every_way
def test_a_model_that_the_provider_lacks_may_be_replaced(
    sim: SimulatorProcess, name: str, transport: Transport
) -> None:
    model = PROVIDER_MODELS[name]
    unknown = ProviderModel(model.provider, model.litellm.replace(model.name, "unknown"), "unknown")
    (answered,) = answers_of(sim, unknown.deployment(sim, transport=transport), said("hello"))
    assert answered.error.kind is K.NOT_FOUND


@pytest.mark.parametrize(
    ("name", "transport", "fault"),
    [
        (name, transport, fault)
        for name, transport in WAYS
        for fault in (F.HTML, F.TRUNCATED, F.NO_CHOICES, F.RESET)
        # No content is an empty answer there.
        if fault is not F.NO_CHOICES or name not in ("anthropic", "bedrock")
    ],
)
def test_a_damaged_reply_may_be_billed_and_is_asked_for_again(
    sim: SimulatorProcess, name: str, transport: Transport, fault: Fault
) -> None:
    answered = ask(sim, name, said(f"[[sim:{fault}]] hello"), transport)
    assert isinstance(answered.error, RetryableError)
    assert answered.error.maybe_billed
    assert answered.received == 1
