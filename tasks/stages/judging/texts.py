"""The texts that judges compare, and the bodies of their requests."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping, Sequence
from typing import Any

from router_core.judging.prompt import TextLimits, judge_messages
from tasks.formats.inputs.messages import text_of
from tasks.formats.requests import canonical_body


def answer_of(completion: Mapping[str, Any]) -> str:
    """Return the text of a chat completion, with its tool calls as JSON."""
    message = completion["choices"][0].get("message") or {}
    content = message.get("content")
    if isinstance(content, list):
        content = "\n".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
    tools = message.get("tool_calls")
    return "\n".join(part for part in (content, json.dumps(tools) if tools else None) if part)


def question_of(messages: Sequence[Mapping[str, Any]]) -> str:
    """Return the question: the text of a single message, or the whole conversation with its roles."""
    if len(messages) == 1:
        return _content(messages[0])
    return "\n\n".join(f"{message['role']}: {_content(message)}" for message in messages)


def judge_body(question: str, first: str, second: str, *, limits: TextLimits, max_tokens: int) -> str:
    """Return the body of a judge's request; an unpredictable nonce delimits the question and the answers."""
    while True:
        try:
            messages = judge_messages(question, first, second, nonce=secrets.token_hex(16), limits=limits)
        except ValueError:  # the data contain the nonce, which happens by chance once in 2^128 times
            continue
        return canonical_body({"messages": messages, "max_tokens": max_tokens})


def _content(message: Mapping[str, Any]) -> str:
    content = message.get("content")
    return text_of(content) if content is not None else json.dumps(message.get("tool_calls") or "")
