"""The texts that judges compare, and the bodies of their requests."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any

from router_core.judging.prompt import TextLimits, judge_messages
from tasks.content.answers import answer_text
from tasks.endpoints.endpoint import CHAT_PATH
from tasks.endpoints.registry import endpoint_of
from tasks.formats.requests import canonical_body


def answer_of(reply: Mapping[str, Any], endpoint: str = CHAT_PATH) -> str:
    """Return the text of a reply to a request of this endpoint; empty where it has none."""
    value = endpoint_of(endpoint)
    return answer_text(value.as_completion(reply)) if value.answers_text else ""


def question_of(body: Mapping[str, Any], endpoint: str = CHAT_PATH) -> str:
    """Return the question that the body of a request asks."""
    return endpoint_of(endpoint).question_of(body)


def judge_body(question: str, first: str, second: str, *, limits: TextLimits, max_tokens: int) -> str:
    """Return the body of a judge's request; an unpredictable nonce delimits the question and the answers."""
    while True:
        try:
            messages = judge_messages(question, first, second, nonce=secrets.token_hex(16), limits=limits)
        except ValueError:  # the data contain the nonce, which happens by chance once in 2^128 times
            continue
        return canonical_body({"messages": messages, "max_tokens": max_tokens})
