"""Real model strings through LiteLLM and, where the shape is OpenAI's, directly: each in its protocol."""

from __future__ import annotations

import json
from typing import Any

import pytest

from router_core.pricing import charged_micros
from tasks.formats.outputs.flat import flat_row
from tasks.formats.results import ResultRecord
from tasks.providers import ErrorKind, ModelPausedError, ProviderError, RetryableError, TerminalError
from tasks.providers.interface import Transport
from tests.support.provider_models import (
    OPENAI_SHAPED,
    PROVIDER_MODELS,
    Answered,
    ProviderModel,
    answers_of,
)
from workers.simulator import Fault, SimulatorProcess

K, F = ErrorKind, Fault
WAYS: list[tuple[str, Transport]] = [
    *((name, "litellm") for name in PROVIDER_MODELS),
    *((name, "auto") for name in OPENAI_SHAPED),
    *((name, "direct") for name in OPENAI_SHAPED),
]
OF_OPENAI = ("openai", "openai reasoning")
REASONING = [name for name in PROVIDER_MODELS if name.endswith("reasoning")] + ["gemini", "xai"]
LONG = "The harbour report of the year. " * 200
SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "people": {"type": "integer"}},
    "required": ["city", "people"],
    "additionalProperties": False,
}
TOOL = {"type": "function", "function": {"name": "weather", "description": "tells it", "parameters": SCHEMA}}
IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAE="}}
FORMAT = {"type": "json_schema", "json_schema": {"name": "city", "strict": True, "schema": SCHEMA}}

every_way = pytest.mark.parametrize(("name", "transport"), WAYS)


def said(text: str, **more: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": text}], "max_tokens": 400, **more}


def ask(sim: SimulatorProcess, name: str, body: dict[str, Any], transport: Transport = "litellm") -> Answered:
    deployment = PROVIDER_MODELS[name].deployment(sim, transport=transport)
    if name == "openai reasoning" and "max_tokens" in body:
        body["max_completion_tokens"] = body.pop("max_tokens")
    (answered,) = answers_of(sim, deployment, body)
    return answered


def assert_paid(model: ProviderModel, answered: Answered) -> None:
    """Check that what Waybill charges is the bill, and never less."""
    usage = answered.reply.usage
    assert usage is not None
    charged = charged_micros(usage, model.price)
    assert answered.billed <= charged <= answered.billed + 6, (usage, charged, answered.billed)


def columns(answered: Answered) -> dict[str, Any]:
    return flat_row(ResultRecord("r", "a", 1, 200, answered.reply.body, None, None, None, {}))


@every_way
def test_a_question_is_answered_once_and_paid_as_billed(
    sim: SimulatorProcess, name: str, transport: Transport
) -> None:
    body = said("How deep is the harbour?", temperature=0.5)
    body["messages"].insert(0, {"role": "system", "content": "Be brief."})
    answered = ask(sim, name, body, transport)
    assert answered.received == 1
    assert len(columns(answered)["answer"]) > 20
    assert answered.reply.body["model"] == PROVIDER_MODELS[name].name
    assert_paid(PROVIDER_MODELS[name], answered)


@pytest.mark.parametrize("name", [name for name in PROVIDER_MODELS if name != "perplexity"])
def test_a_tool_is_called(sim: SimulatorProcess, name: str) -> None:
    answered = ask(sim, name, said("[[sim:tool_call]] What is the weather?", tools=[TOOL]))
    assert answered.received == 1
    assert answered.choice["finish_reason"] == "tool_calls"
    (call,) = columns(answered)["tool_calls"]
    assert call["function"]["name"] == "weather"
    assert set(json.loads(call["function"]["arguments"])) == {"city", "people"}
    assert_paid(PROVIDER_MODELS[name], answered)


@pytest.mark.parametrize("name", [name for name in PROVIDER_MODELS if name != "perplexity"])
def test_a_named_tool_is_called(sim: SimulatorProcess, name: str) -> None:
    choice = {"type": "function", "function": {"name": "weather"}}
    answered = ask(sim, name, said("What is the weather?", tools=[TOOL], tool_choice=choice))
    # For Mistral, LiteLLM leaves the choice out, and that is said.
    assert answered.reply.dropped == (("tool_choice",) if "mistral" in name else ())
    assert (columns(answered)["tool_calls"] is None) == ("mistral" in name)


@pytest.mark.parametrize("name", PROVIDER_MODELS)
def test_the_answer_of_a_tool_is_taken(sim: SimulatorProcess, name: str) -> None:
    call = {"id": "call_1a2b3", "type": "function", "function": {"name": "weather", "arguments": "{}"}}
    turns = [
        {"role": "user", "content": "What is the weather?"},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_1a2b3", "content": "sunny"},
    ]
    answered = ask(sim, name, {"messages": turns, "tools": [TOOL], "max_tokens": 200})
    assert columns(answered)["answer"]
    assert answered.received == 1


@pytest.mark.parametrize("name", [name for name in PROVIDER_MODELS if "deepseek" not in name])
def test_an_image_reaches_the_provider(sim: SimulatorProcess, name: str) -> None:
    text = [{"type": "text", "text": "What is this?"}]
    with_image, without = (
        ask(sim, name, {"messages": [{"role": "user", "content": parts}], "max_tokens": 200})
        for parts in ([*text, IMAGE], text)
    )
    tokens = [one.reply.usage.prompt_tokens for one in (with_image, without) if one.reply.usage]
    assert tokens[0] == tokens[1] + 85


@pytest.mark.parametrize("name", [name for name in PROVIDER_MODELS if "deepseek" not in name])
def test_an_answer_fits_its_schema(sim: SimulatorProcess, name: str) -> None:
    answered = ask(sim, name, said("Name a city.", response_format=FORMAT))
    assert set(json.loads(columns(answered)["answer"])) == {"city", "people"}
    assert answered.received == 1


@pytest.mark.parametrize("name", REASONING)
def test_reasoning_is_kept_where_it_is_shown_and_paid_for(sim: SimulatorProcess, name: str) -> None:
    answered = ask(sim, name, said("How deep is the harbour?"))
    assert answered.reply.usage is not None
    assert answered.reply.usage.reasoning == PROVIDER_MODELS[name].profile.reasoning_tokens
    assert (columns(answered)["reasoning"] is None) == (name == "openai reasoning")
    assert_paid(PROVIDER_MODELS[name], answered)


def test_what_perplexity_found_is_kept_and_its_search_is_paid(sim: SimulatorProcess) -> None:
    answered = ask(sim, "perplexity", said("How deep is the harbour?"))
    assert columns(answered)["citations"][0]["url"] == "https://example.org/harbour"
    assert_paid(PROVIDER_MODELS["perplexity"], answered)
    assert answered.billed > 5000


@pytest.mark.parametrize("name", ["openai", "anthropic", "gemini", "bedrock"])
def test_citations_are_kept(sim: SimulatorProcess, name: str) -> None:
    answered = ask(sim, name, said("[[sim:citations]] How deep is the harbour?"))
    assert columns(answered)["answer"]
    assert name == "bedrock" or columns(answered)["citations"]


@pytest.mark.parametrize("name", ["openai", "anthropic", "deepseek", "bedrock", "xai", "openrouter"])
def test_a_beginning_that_was_sent_before_costs_what_the_cache_costs(
    sim: SimulatorProcess, name: str
) -> None:
    part = {"type": "text", "text": LONG, "cache_control": {"type": "ephemeral"}}
    bodies = [
        {
            "messages": [{"role": "system", "content": [part]}, {"role": "user", "content": text}],
            "max_tokens": 99,
        }
        for text in ("Who?", "Where?")
    ]
    first, second = answers_of(sim, PROVIDER_MODELS[name].deployment(sim), *bodies)
    assert first.reply.usage is not None
    assert second.reply.usage is not None
    assert (first.reply.usage.cached_input, first.reply.usage.cache_write > 0) == (
        0,
        name in ("anthropic", "bedrock"),
    )
    assert second.reply.usage.cached_input >= 1500
    for answered in (first, second):
        assert_paid(PROVIDER_MODELS[name], answered)
    assert second.billed < first.billed


@pytest.mark.parametrize(
    ("name", "transport", "word"),
    [
        (name, transport, word)
        for name, transport in WAYS
        for word in ("refusal", "filtered", "reasoning_only")
        # Gemini blocks the prompt; OpenAI shows no reasoning, so that the reply is empty, and cut.
        if (name, word) not in {("gemini", "filtered"), *((one, "reasoning_only") for one in OF_OPENAI)}
    ],
)
def test_what_is_no_plain_answer_is_kept_and_paid_once(
    sim: SimulatorProcess, name: str, transport: Transport, word: str
) -> None:
    answered = ask(sim, name, said(f"[[sim:{word}]] hello"), transport)
    assert (answered.received, answered.billed > 0) == (1, True)
    assert isinstance(answered.message, dict)


@pytest.mark.parametrize(("name", "transport"), [way for way in WAYS if way[0] in OF_OPENAI])
def test_a_cut_reply_without_anything_to_show_is_kept_and_marked(
    sim: SimulatorProcess, name: str, transport: Transport
) -> None:
    answered = ask(sim, name, said("[[sim:reasoning_only]] hello"), transport)
    assert (answered.received, answered.reply.notes.get("without_answer")) == (1, True)


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


@every_way
def test_an_answer_without_usage_is_kept(sim: SimulatorProcess, name: str, transport: Transport) -> None:
    body = said("[[sim:no_usage]] hello")
    answered = ask(sim, name, body, transport)
    assert columns(answered)["answer"]
    assert answered.reply.usage is None


@pytest.mark.parametrize("name", PROVIDER_MODELS)
@pytest.mark.parametrize("role", ["system", "developer"])
def test_a_conversation_of_system_messages_alone_is_answered(
    sim: SimulatorProcess, name: str, role: str
) -> None:
    turns = [{"role": role, "content": "Be brief."}, {"role": role, "content": "Say hello."}]
    answered = ask(sim, name, {"messages": turns, "max_tokens": 300})
    assert columns(answered)["answer"]
    assert answered.received == 1


def test_no_cache_is_made_at_gemini_by_a_call_of_its_own(sim: SimulatorProcess) -> None:
    part = {"type": "text", "text": LONG, "cache_control": {"type": "ephemeral"}}
    answered = ask(sim, "gemini", {"messages": [{"role": "user", "content": [part]}], "max_tokens": 300})
    assert columns(answered)["answer"]
    assert answered.received == 1
    assert answered.reply.dropped == ("cache_control",)
