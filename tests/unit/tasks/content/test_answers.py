"""The text of a chat completion as judges read it, whatever shape its message has."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tasks.stages.judging.texts import answer_of

CALL = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}


@pytest.mark.parametrize(
    ("message", "text"),
    [
        ({"content": "a"}, "a"),
        ({"content": None, "refusal": "no"}, "no"),
        ({"content": [{"type": "refusal", "refusal": "no"}]}, "no"),
        ({"content": [{"type": "text", "text": "a"}, {"type": "text", "text": None}, "b"]}, "ab"),
        ({"content": [{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "a"}]}, "a"),
        ({"content": [{"type": "reasoning", "text": "hm"}, {"type": ["text"], "text": "a"}]}, "a"),
        ({"content": 42}, "42"),
        ({"content": {"a": 1}}, '{"a": 1}'),
        ({"content": None, "audio": {"data": "AAAA", "transcript": "a"}}, "a"),
        ({"content": "a", "tool_calls": [CALL]}, f"a\n{json.dumps([CALL])}"),
        ({"content": None, "function_call": CALL["function"]}, json.dumps([{**CALL, "id": None}])),
        ("a", ""),
        (None, ""),
    ],
)
def test_the_text_that_judges_compare(message: Any, text: str) -> None:
    assert answer_of({"choices": [{"index": 0, "message": message}]}) == text


@pytest.mark.parametrize("completion", [{}, {"choices": None}, {"choices": []}, {"choices": [None]}])
def test_a_completion_without_a_choice_has_no_text(completion: Any) -> None:
    assert answer_of(completion) == ""
