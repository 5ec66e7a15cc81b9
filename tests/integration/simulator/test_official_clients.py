"""The clients that OpenAI and Anthropic publish take the simulator for their own servers."""

from __future__ import annotations

import json
from typing import Any

import anthropic
import openai
import pytest
from pydantic import BaseModel

from workers.simulator import SimulatorProcess

TOOL_SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
USER: Any = [{"role": "user", "content": "How deep is the harbour?"}]


class Depth(BaseModel):
    metres: int
    where: str


@pytest.fixture
def of_openai(sim: SimulatorProcess) -> openai.OpenAI:
    return openai.OpenAI(api_key="sk-key", base_url=sim.url_of("openai"), max_retries=0)


@pytest.fixture
def of_anthropic(sim: SimulatorProcess) -> anthropic.Anthropic:
    return anthropic.Anthropic(api_key="sk-key", base_url=sim.url_of("anthropic"), max_retries=0)


def saying(word: str) -> Any:
    return [{"role": "user", "content": f"[[sim:{word}]] hello"}]


def test_openais_client_reads_answers_tools_and_usage(of_openai: openai.OpenAI) -> None:
    answer = of_openai.chat.completions.create(
        model="gpt-4o-mini", messages=USER, logprobs=True, top_logprobs=2
    )
    assert answer.choices[0].message.content
    assert answer.choices[0].logprobs is not None
    assert answer.choices[0].logprobs.content is not None
    assert len(answer.choices[0].logprobs.content[0].top_logprobs) == 2
    assert answer.usage is not None
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens
    tool: Any = {"type": "function", "function": {"name": "weather", "parameters": TOOL_SCHEMA}}
    called = of_openai.chat.completions.create(
        model="gpt-4o-mini", messages=USER, tools=[tool], tool_choice="required"
    )
    (call,) = called.choices[0].message.tool_calls or ()
    assert call.type == "function"
    assert "city" in json.loads(call.function.arguments)


def test_openais_client_parses_structured_outputs_and_refusals(of_openai: openai.OpenAI) -> None:
    parsed = of_openai.chat.completions.parse(model="gpt-4o-mini", messages=USER, response_format=Depth)
    assert isinstance(parsed.choices[0].message.parsed, Depth)
    refused = of_openai.chat.completions.create(model="gpt-4o-mini", messages=saying("refusal"))
    assert refused.choices[0].message.refusal


def test_openais_client_reads_responses(of_openai: openai.OpenAI) -> None:
    answer = of_openai.responses.create(model="gpt-5-mini", input="How deep?", reasoning={"effort": "low"})
    assert answer.output_text
    assert answer.usage is not None
    assert answer.usage.output_tokens_details.reasoning_tokens == 48
    parsed = of_openai.responses.parse(model="gpt-4o-mini", input="How deep?", text_format=Depth)
    assert isinstance(parsed.output_parsed, Depth)
    tool: Any = {"type": "function", "name": "weather", "parameters": TOOL_SCHEMA, "strict": False}
    called = of_openai.responses.create(
        model="gpt-4o-mini", input="hello", tools=[tool], tool_choice="required"
    )
    assert called.output[0].type == "function_call"


@pytest.mark.parametrize(
    ("word", "error"),
    [
        ("rate_limit_seconds", openai.RateLimitError),
        ("quota", openai.RateLimitError),
        ("unauthorized", openai.AuthenticationError),
        ("forbidden", openai.PermissionDeniedError),
        ("context_length", openai.BadRequestError),
        ("server_error", openai.InternalServerError),
        ("truncated", (openai.APIError, ValueError)),
    ],
)
def test_openais_client_raises_its_own_errors(
    of_openai: openai.OpenAI, word: str, error: type[Exception]
) -> None:
    with pytest.raises(error):
        of_openai.chat.completions.create(model="gpt-4o-mini", messages=saying(word))


def test_anthropics_client_reads_answers_thoughts_tools_and_usage(of_anthropic: anthropic.Anthropic) -> None:
    answer = of_anthropic.messages.create(
        model="claude-sonnet-4-5",
        max_tokens=2000,
        system="Be brief.",
        messages=USER,
        thinking={"type": "enabled", "budget_tokens": 1024},
    )
    assert [block.type for block in answer.content] == ["thinking", "text"]
    assert answer.stop_reason == "end_turn"
    called = of_anthropic.messages.create(
        model="claude-sonnet-4-5",
        max_tokens=500,
        messages=USER,
        tools=[{"name": "weather", "input_schema": TOOL_SCHEMA}],
        tool_choice={"type": "any"},
    )
    (block,) = called.content
    assert block.type == "tool_use"
    assert called.stop_reason == "tool_use"
    assert called.usage.input_tokens > 0


@pytest.mark.parametrize(
    ("word", "error"),
    [
        ("rate_limit_seconds", anthropic.RateLimitError),
        ("overloaded", anthropic.APIStatusError),
        ("unauthorized", anthropic.AuthenticationError),
        ("forbidden", anthropic.PermissionDeniedError),
        ("context_length", anthropic.BadRequestError),
        ("quota", anthropic.BadRequestError),
    ],
)
def test_anthropics_client_raises_its_own_errors(
    of_anthropic: anthropic.Anthropic, word: str, error: type[Exception]
) -> None:
    with pytest.raises(error):
        of_anthropic.messages.create(model="claude-sonnet-4-5", max_tokens=50, messages=saying(word))
