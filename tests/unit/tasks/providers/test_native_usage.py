"""Answers without usage: completed where LiteLLM could not read them, and left alone otherwise."""

from __future__ import annotations

import json

import pytest

from tasks.providers.native_usage import with_usage


@pytest.mark.parametrize(
    ("body", "name"),
    [
        ({"type": "message", "content": [{"type": "text", "text": "yes"}]}, "usage"),
        ({"candidates": [{"content": {"parts": [{"text": "yes"}]}}]}, "usageMetadata"),
        ({"output": {"message": {}}, "stopReason": "end_turn"}, "usage"),
    ],
)
def test_a_reply_of_another_api_gets_an_empty_usage(body: dict[str, object], name: str) -> None:
    found = json.loads(with_usage(json.dumps(body).encode()))
    assert {**found, name: None} == {**body, name: None}
    assert set(found[name].values()) == {0}


@pytest.mark.parametrize(
    "content",
    [
        b'{"choices": [{"message": {"content": "yes"}}]}',
        b'{"type": "message", "content": [], "usage": {"input_tokens": 3}}',
        b'{"candidates": [], "usageMetadata": {}}',
        b'{"type": "error", "error": {}}',
        b"[]",
        b"<html>",
        b"",
        b'{"candidates": ',
    ],
)
def test_everything_else_stays_as_it_is(content: bytes) -> None:
    assert with_usage(content) == content
