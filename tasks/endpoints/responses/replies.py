"""The replies: whether one holds an answer, its text, and its shape as a chat completion."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from tasks.endpoints.endpoint import Body

#: the key of a call's arguments, by the type of its item
_CALLS = {"function_call": "arguments", "custom_tool_call": "input"}
#: statuses of replies that are whole, or cut off at a limit
_ENDED = (None, "completed", "incomplete")
_FINISH_REASONS = {"max_output_tokens": "length", "content_filter": "content_filter"}


def has_answer(body: Body, _request: Body) -> bool:
    """Return whether the output holds text, a refusal, a call or reasoning, or a limit cut it off."""
    if body.get("status") not in _ENDED or not isinstance(body.get("output"), list):
        return False
    items = list(_items(body))
    said = bool(_texts(items, "output_text", "text") or _texts(items, "refusal", "refusal"))
    return said or any(item.get("type") in _CALLS for item in items) or _is_cut(body) or _has_thought(items)


def answer_of(body: Body) -> str:
    """Return the text of a reply, with its calls as JSON."""
    items = list(_items(body))
    text = "".join(_texts(items, "output_text", "text")) or "".join(_texts(items, "refusal", "refusal"))
    calls = [item for item in items if item.get("type") in _CALLS]
    return "\n".join(part for part in (text, json.dumps(calls) if calls else None) if part)


def as_completion(body: Body) -> dict[str, Any]:
    """Return the reply in the shape of a chat completion."""
    items = list(_items(body))
    text = _texts(items, "output_text", "text")
    message = {
        "content": "".join(text) if text else None,
        "refusal": "".join(_texts(items, "refusal", "refusal")) or None,
        "reasoning_content": _reasoning(items),
        "tool_calls": [_tool_call(item) for item in items if item.get("type") in _CALLS],
        "annotations": [note for part in _parts(items) for note in _objects(part.get("annotations"))],
    }
    choice = {"index": 0, "message": message, "finish_reason": _finish_reason(body, items)}
    return {"choices": [choice], "usage": _usage(body.get("usage"))}


def _items(body: Body) -> Iterator[dict[str, Any]]:
    yield from (item for item in _objects(body.get("output")) if isinstance(item.get("type"), str))


def _parts(items: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for item in items:
        if item["type"] == "message":
            yield from _objects(item.get("content"))


def _objects(value: object) -> list[dict[str, Any]]:
    """Return the objects in a list of them; none of anything else."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _texts(items: list[dict[str, Any]], kind: str, key: str) -> list[str]:
    parts = (part for part in _parts(items) if part.get("type") == kind)
    return [part[key] for part in parts if isinstance(part.get(key), str)]


def _has_thought(items: list[dict[str, Any]]) -> bool:
    return any(item.get("type") == "reasoning" for item in items)


def _reasoning(items: list[dict[str, Any]]) -> str | None:
    thoughts = [item for item in items if item.get("type") == "reasoning"]
    parts = [part for item in thoughts for key in ("content", "summary") for part in _objects(item.get(key))]
    return "\n".join(part["text"] for part in parts if isinstance(part.get("text"), str)) or None


def _tool_call(item: dict[str, Any]) -> dict[str, Any]:
    arguments = item.get(_CALLS[item["type"]])
    return {"id": item.get("call_id"), "function": {"name": item.get("name"), "arguments": arguments}}


def _is_cut(body: Body) -> bool:
    return body.get("status") == "incomplete"


def _finish_reason(body: Body, items: list[dict[str, Any]]) -> str:
    if _is_cut(body):
        details = body.get("incomplete_details")
        reason = details.get("reason") if isinstance(details, dict) else None
        return _FINISH_REASONS.get(str(reason), "length")
    return "tool_calls" if any(item.get("type") in _CALLS for item in items) else "stop"


def _usage(usage: object) -> dict[str, Any]:
    given = usage if isinstance(usage, dict) else {}
    return {
        "prompt_tokens": given.get("input_tokens"),
        "completion_tokens": given.get("output_tokens"),
        "prompt_tokens_details": given.get("input_tokens_details"),
        "completion_tokens_details": given.get("output_tokens_details"),
    }
