"""Conversations in the form that each provider takes; the caller's own are never changed."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

from tasks.providers.adapted_messages import adapted_messages

SYSTEM_ONLY = [{"role": "system", "content": "a"}, {"role": "developer", "content": "b"}]
MARKED = [
    {"role": "user", "content": [{"type": "text", "text": "a", "cache_control": {"type": "ephemeral"}}, "x"]}
]
CALLS = [
    {
        "role": "assistant",
        "content": None,
        "tool_calls": [{"id": "call_1"}, {"id": "a1B2c3D4e"}, {"id": None}],
    },
    {"role": "tool", "tool_call_id": "call_1", "content": "1"},
]


@pytest.mark.parametrize("model", ["anthropic/m", "bedrock/converse/m", "mistral/m"])
def test_the_last_of_system_messages_alone_becomes_a_users(model: str) -> None:
    adapted, left_out = adapted_messages(model, SYSTEM_ONLY)
    assert [message["role"] for message in adapted] == ["system", "user"]
    assert left_out == ()


def test_marks_are_left_out_for_gemini_and_that_is_said() -> None:
    assert adapted_messages("gemini/m", MARKED) == (
        [{"role": "user", "content": [{"type": "text", "text": "a"}, "x"]}],
        ("cache_control",),
    )


def test_ids_of_tool_calls_stay_together_at_mistral() -> None:
    adapted, _ = adapted_messages("mistral/m", CALLS)
    first, second, none = (call["id"] for call in adapted[0]["tool_calls"])
    assert len(first) == 9
    assert first.isalnum()
    assert adapted[1]["tool_call_id"] == first
    assert (second, none) == ("a1B2c3D4e", None)


@pytest.mark.parametrize("messages", [SYSTEM_ONLY, MARKED, CALLS], ids=["system", "marked", "calls"])
@pytest.mark.parametrize("model", ["openai/m", "hosted_vllm/m", "anthropic/m", "gemini/m", "mistral/m"])
def test_the_messages_that_are_given_stay_as_they_are(model: str, messages: Any) -> None:
    before = deepcopy(messages)
    adapted, _ = adapted_messages(model, messages)
    assert messages == before
    if model.startswith(("openai", "hosted_vllm")):
        assert adapted == before
