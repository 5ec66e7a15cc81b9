"""LiteLLM's responses as JSON values, in the shape of the API of OpenAI."""

from __future__ import annotations

import json
from typing import Any

from tasks.json_values import object_of, objects_in
from tasks.providers.replies.answers import usable_choices
from tasks.providers.replies.parsing import ParsedBody, parse_body

#: the fields that OpenAI's API sends as null, and LiteLLM leaves out
_NULLABLE = ("content", "refusal")
#: the tool by which LiteLLM asks some providers for JSON; it turns the call into the content
_JSON_TOOL = "json_tool_call"


def mapped_body(answer: Any) -> ParsedBody | None:
    """Return LiteLLM's ModelResponse as JSON values; None for anything else that it returned."""
    if answer is None:
        return None
    try:
        # pydantic's warnings quote values, which may be an answer
        dumped = answer.model_dump(exclude_none=True, warnings=False)
        parsed = parse_body(json.dumps(dumped, default=_plain))
    except (AttributeError, TypeError, ValueError, RecursionError):
        return None
    for choice in objects_in(parsed.value.get("choices")) if parsed else ():
        _add_nulls(choice)
    return parsed


def is_rewritten(body: dict[str, Any]) -> bool:
    """Return whether a reply answers what LiteLLM asked in place of the request."""
    messages = [object_of(choice.get("message")) for choice in objects_in(body.get("choices"))]
    calls = [call for message in messages for call in objects_in(message.get("tool_calls"))]
    return any(object_of(call.get("function")).get("name") == _JSON_TOOL for call in calls)


def with_empty_text(mapped: ParsedBody, sent: ParsedBody | None) -> ParsedBody:
    """Return the mapped body, with an empty text where Anthropic ended its turn without a word."""
    native = sent.value if sent else {}
    if native.get("type") == "message" and native.get("content") == [] and native.get("stop_reason"):
        for choice in usable_choices(mapped.value):
            choice["message"]["content"] = choice["message"].get("content") or ""
    return mapped


def _add_nulls(choice: dict[str, Any]) -> None:
    message = object_of(choice.get("message"))
    for name in _NULLABLE:
        message.setdefault(name, None)
    choice.setdefault("logprobs", None)


def _plain(value: object) -> Any:
    dump = getattr(value, "model_dump", None)
    return dump(exclude_none=True, warnings=False) if callable(dump) else str(value)
