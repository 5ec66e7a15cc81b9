"""What the message of a chat completion says: its text, its refusal and its tool calls.

Providers and LiteLLM put these at different places of a message; whatever reads answers reads them here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

from tasks.json_values import object_of, to_json

Object: TypeAlias = Mapping[str, Any]

#: the parts of a content that are no answer
THOUGHT_PARTS = frozenset({"thinking", "reasoning", "redacted_thinking"})
#: the finish reasons of an answer that was cut, at its token limit or by a filter; providers' words, in small
CUT_BY_LIMIT = frozenset({"length", "max_tokens", "model_length", "max_output_tokens"})
CUT_BY_FILTER = frozenset({
    "content_filter", "safety", "refusal", "recitation", "sensitive", "prohibited_content", "blocklist",
    "spii",
})  # fmt: skip
#: what says that an object is a part of a content, and no answer by itself
_PART = frozenset({"type", "text", "refusal", "thinking"})


def first_choice(completion: Object) -> dict[str, Any]:
    """Return the first choice of a chat completion; empty where there is none."""
    choices = completion.get("choices")
    return object_of(choices[0]) if isinstance(choices, list) and choices else {}


def answer_text(completion: Object) -> str:
    """Return what a chat completion answers as one text: its words, or the refusal, and its tool calls."""
    message = object_of(first_choice(completion).get("message"))
    calls = tool_calls_of(message)
    said = text_of(message) or refusal_of(message)
    return "\n".join(part for part in (said, to_json(calls) if calls else None) if part)


def text_of(message: Object) -> str | None:
    """Return the text of a message, or the words of its sound; None if it has neither."""
    content = message.get("content")
    text = content if isinstance(content, str) else _text_of_parts(content)
    return text or nonempty_text(object_of(message.get("audio")).get("transcript")) or text


def refusal_of(message: Object) -> str | None:
    """Return the words with which the model refused to answer."""
    return nonempty_text(message.get("refusal")) or joined(parts_of(message.get("content")), "refusal")


def tool_calls_of(message: Object) -> list[dict[str, Any]]:
    """Return the tool calls in OpenAI's shape; a `function_call` of the old API is one without an id."""
    given = message.get("tool_calls")
    calls = [_tool_call(call) for call in flat_objects([given] if isinstance(given, dict) else given)]
    old = object_of(message.get("function_call"))
    return [*calls, _tool_call({"function": old})] if old else calls


def parts_of(content: object) -> list[dict[str, Any]]:
    """Return the parts of a content; a text among them is one, and so is a content that is itself a part."""
    given = content if isinstance(content, list) else [content]
    parts = [{"type": "text", "text": part} if isinstance(part, str) else part for part in given]
    return list(flat_objects(parts))


def flat_objects(value: object) -> Iterator[dict[str, Any]]:
    """Yield the objects in a list of them, and in lists within it."""
    for item in value if isinstance(value, list) else ():
        if isinstance(item, dict):
            yield item
        elif isinstance(item, list):
            yield from flat_objects(item)


def joined(parts: list[dict[str, Any]], field: str) -> str | None:
    """Return a field's texts, one after the other; None if no part has the field."""
    texts = [part[field] for part in parts if isinstance(part.get(field), str)]
    return "".join(texts) if texts else None


def nonempty_text(value: object) -> str | None:
    """Return the value if it is a text that is not empty."""
    return value if isinstance(value, str) and value else None


def is_thought(part: Object) -> bool:
    """Return whether a part of a content is what the model thought."""
    kind = part.get("type")
    return isinstance(kind, str) and kind in THOUGHT_PARTS


def with_text(message: Object, text: str) -> dict[str, Any]:
    """Return a message whose text is replaced; parts of its content that are no text stay."""
    content = message.get("content")
    if not isinstance(content, list):
        return {**message, "content": text}
    others = [part for part in content if not _is_text(part)]
    return {**message, "content": [*others, {"type": "text", "text": text}]}


def _is_text(part: object) -> bool:
    return isinstance(part, str) or (
        isinstance(part, dict) and isinstance(part.get("text"), str) and not is_thought(part)
    )


def _text_of_parts(content: object) -> str | None:
    """Return the text of a content that is none; the JSON of one that has no parts either."""
    if isinstance(content, int | float) or (isinstance(content, dict) and not _PART.intersection(content)):
        return to_json(content)
    return joined([part for part in parts_of(content) if not is_thought(part)], "text")


def _tool_call(call: dict[str, Any]) -> dict[str, Any]:
    """Return a call; that of a tool of one's own (`custom`) has an input, which is any text."""
    function = object_of(call.get("function") or call.get("custom"))
    arguments = function.get("arguments", function.get("input"))
    return {
        "id": nonempty_text(call.get("id")),
        "type": nonempty_text(call.get("type")) or "function",
        "function": {
            "name": nonempty_text(function.get("name")),
            "arguments": arguments if isinstance(arguments, str | None) else to_json(arguments),
        },
    }
