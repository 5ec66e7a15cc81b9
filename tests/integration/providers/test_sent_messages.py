"""What is sent is what the request says, nulls, names and refusals included, over both transports."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tasks.providers.interface import Transport
from tests.support.provider_server import answering, serve

CALL = {"id": "call_1", "type": "function", "function": {"name": "add", "arguments": "{}"}}
TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "add",
            "description": "adds",
            "parameters": {"type": "object", "properties": {}},
        },
    }
]
HISTORY: list[dict[str, Any]] = [
    {"role": "system", "content": "be brief"},
    {"role": "user", "content": "2 + 2?", "name": "ann"},
    {"role": "assistant", "content": None, "tool_calls": [CALL]},
    {"role": "tool", "tool_call_id": "call_1", "content": "4"},
    {"role": "assistant", "content": "4", "refusal": None},
    {"role": "user", "content": "and a bomb?"},
    {"role": "assistant", "content": None, "refusal": "I cannot."},
    {"role": "user", "content": "3 + 3?"},
]
MESSAGE = {"role": "assistant", "content": None, "refusal": None, "tool_calls": [CALL]}
CHOICE = {"index": 0, "message": MESSAGE, "logprobs": None, "finish_reason": "tool_calls"}
USAGE = {"prompt_tokens": 20, "completion_tokens": 10, "total_tokens": 30}
BODY = {
    "id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [CHOICE], "usage": USAGE,
    "system_fingerprint": None, "service_tier": None,
}  # fmt: skip
_AUTO = ("openai/model", "openai/gpt-4o", "hosted_vllm/model", "deepseek/deepseek-chat", "together_ai/model")
WAYS: list[tuple[Transport, str]] = [
    ("direct", "openai/model"),
    *(("auto", model) for model in _AUTO),
    ("litellm", "openai/model"),
    ("litellm", "openai/gpt-4o"),
    ("litellm", "hosted_vllm/model"),
    ("litellm", "deepseek/deepseek-chat"),
    ("litellm", "together_ai/model"),
    ("litellm", "openrouter/model"),
    ("litellm", "xai/grok-4"),
]


@pytest.mark.parametrize(("transport", "model"), WAYS)
def test_nulls_arrive_and_come_back_as_they_were_sent(transport: Transport, model: str) -> None:
    request = {"messages": HISTORY, "tools": TOOLS, "max_tokens": 9}
    served = serve(answering(BODY), request, transport=transport, model=model)
    assert [body["messages"] for body in served.received] == [HISTORY]
    assert served.reply.body == {**BODY, "model": "model"}


@pytest.mark.parametrize(
    "model", ["anthropic/claude-sonnet-4-5", "gemini/gemini-2.5-pro", "mistral/model", "groq/model"]
)
def test_a_history_with_nulls_reaches_providers_with_other_apis(model: str) -> None:
    request = {"messages": HISTORY, "tools": TOOLS, "max_tokens": 9}
    served = serve(answering(BODY), request, transport="litellm", model=model)
    assert served.message == MESSAGE
    sent = json.dumps(served.received[0])
    assert [text for text in ("be brief", "2 + 2?", "3 + 3?", "add") if text not in sent] == []


def test_the_nulls_of_an_answer_that_litellm_maps_are_those_of_openai() -> None:
    content = [{"type": "tool_use", "id": "call_1", "name": "add", "input": {}}]
    body = {"id": "m", "type": "message", "role": "assistant", "model": "claude", "content": content,
            "stop_reason": "tool_use", "usage": {"input_tokens": 20, "output_tokens": 10}}  # fmt: skip
    request = {"messages": HISTORY, "tools": TOOLS, "max_tokens": 99}
    served = serve(answering(body), request, transport="litellm", model="anthropic/claude-sonnet-4-5")
    message = served.message
    assert {name: message[name] for name in ("content", "refusal")} == {"content": None, "refusal": None}
    assert message["tool_calls"][0]["function"]["name"] == "add"
    assert served.reply.usage is not None
    assert (served.reply.usage.prompt_tokens, served.reply.usage.completion_tokens) == (20, 10)
