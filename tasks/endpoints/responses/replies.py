"""The replies: whether one holds an answer, its text, and its shape as a chat completion."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tasks.endpoints.endpoint import Body
from tasks.json_values import object_of, objects_in

#: the type of a call in chat completions and the key of its arguments, by the type of its item
_CALLS = {"function_call": ("function", "arguments"), "custom_tool_call": ("custom", "input")}
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


def with_text(body: Body, text: str) -> dict[str, Any]:
    """Return a reply with the text in the first part that holds any, and the other parts empty of text."""
    left = [text]
    return {**body, "output": [_item_with_text(item, left) for item in body["output"]]}


def as_completion(body: Body) -> dict[str, Any]:
    """Return the reply in the shape of a chat completion."""
    items = list(_items(body))
    text = _texts(items, "output_text", "text")
    message = {
        "content": "".join(text) if text else None,
        "refusal": "".join(_texts(items, "refusal", "refusal")) or None,
        "reasoning_content": _reasoning(items),
        "tool_calls": [_tool_call(item) for item in items if item.get("type") in _CALLS],
        "annotations": [note for part in _parts(items) for note in objects_in(part.get("annotations"))],
    }
    choice = {"index": 0, "message": message, "finish_reason": _finish_reason(body, items)}
    return {"choices": [choice], "usage": _usage(body.get("usage"))}


def _items(body: Body) -> Iterator[dict[str, Any]]:
    yield from (item for item in objects_in(body.get("output")) if isinstance(item.get("type"), str))


def _parts(items: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for item in items:
        if item["type"] == "message":
            yield from objects_in(item.get("content"))


def _texts(items: list[dict[str, Any]], kind: str, key: str) -> list[str]:
    parts = (part for part in _parts(items) if part.get("type") == kind)
    return [part[key] for part in parts if isinstance(part.get(key), str)]


def _has_thought(items: list[dict[str, Any]]) -> bool:
    return any(item.get("type") == "reasoning" for item in items)


def _reasoning(items: list[dict[str, Any]]) -> str | None:
    thoughts = [item for item in items if item.get("type") == "reasoning"]
    lists = [item.get(key) for item in thoughts for key in ("content", "summary")]
    parts = [part for one in lists for part in objects_in(one)]
    return "\n".join(part["text"] for part in parts if isinstance(part.get("text"), str)) or None


def _tool_call(item: dict[str, Any]) -> dict[str, Any]:
    kind, key = _CALLS[item["type"]]
    return {"id": item.get("call_id"), "type": kind, kind: {"name": item.get("name"), key: item.get(key)}}


def _item_with_text(item: Any, left: list[str]) -> Any:
    if object_of(item).get("type") != "message" or not isinstance(item.get("content"), list):
        return item
    return {**item, "content": [_part_with_text(part, left) for part in item["content"]]}


def _part_with_text(part: Any, left: list[str]) -> Any:
    if object_of(part).get("type") != "output_text":
        return part
    return {**part, "text": left.pop() if left else ""}


def _is_cut(body: Body) -> bool:
    return body.get("status") == "incomplete" or _reason_of_cut(body) is not None


def _reason_of_cut(body: Body) -> object:
    return object_of(body.get("incomplete_details")).get("reason")


def _finish_reason(body: Body, items: list[dict[str, Any]]) -> str:
    if body.get("status") not in _ENDED:
        return "error"
    if _is_cut(body):
        return _FINISH_REASONS.get(str(_reason_of_cut(body)), "length")
    return "tool_calls" if any(item.get("type") in _CALLS for item in items) else "stop"


def _usage(usage: object) -> dict[str, Any]:
    given = object_of(usage)
    return {
        "prompt_tokens": given.get("input_tokens"),
        "completion_tokens": given.get("output_tokens"),
        "prompt_tokens_details": given.get("input_tokens_details"),
        "completion_tokens_details": given.get("output_tokens_details"),
    }
