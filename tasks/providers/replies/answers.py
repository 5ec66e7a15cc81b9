"""What of a chat completion is an answer: text, a refusal, reasoning, tool calls, media, in any shape."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tasks.content.answers import CUT_BY_FILTER, CUT_BY_LIMIT, is_thought
from tasks.json_values import object_of, objects_in

#: The fields that a message may have instead of `content`, …
_ALTERNATIVES = ("tool_calls", "function_call", "refusal", "audio", "images")
#: … and those that show what the model did, without an answer.
_THOUGHTS = ("reasoning_content", "reasoning", "reasoning_details", "thinking_blocks", "thinking")


def has_answer(choice: Mapping[str, Any]) -> bool:
    """Return whether a choice answers: with text, or with what may stand for it."""
    message = object_of(choice.get("message"))
    return _has_content(message.get("content")) or any(message.get(name) for name in _ALTERNATIVES)


def is_kept(choice: Mapping[str, Any]) -> bool:
    """Return whether a choice is what was paid for: an answer, thoughts, or nothing for a stated reason."""
    message = object_of(choice.get("message"))
    return (
        has_answer(choice)
        or isinstance(message.get("content"), str)
        or any(message.get(name) for name in _THOUGHTS)
        or (isinstance(choice.get("message"), dict) and _ends_empty(choice.get("finish_reason")))
    )


def usable_choices(body: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the choices that hold a message, in whatever place."""
    return [_with_message(choice) for choice in choices_in(body) if _has_message(choice)]


def choices_in(body: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the choices: those of a list, of a map by their numbers, or one that stands alone."""
    choices = body.get("choices")
    if not isinstance(choices, dict):
        return objects_in(choices)
    return [choices] if _has_message(choices) else objects_in(list(choices.values()))


def _has_message(choice: Mapping[str, Any]) -> bool:
    has_fields = isinstance(choice.get("message"), dict | str) or isinstance(choice.get("delta"), dict)
    return has_fields or isinstance(choice.get("text"), str)


def _with_message(choice: dict[str, Any]) -> dict[str, Any]:
    """Return a choice with a message: its own, its text, or the `delta` of a stream of one piece."""
    message = choice.get("message")
    if isinstance(message, dict):
        return choice
    text = message if isinstance(message, str) else choice.get("text")
    fields = {"content": text} if isinstance(text, str) else object_of(choice.get("delta"))
    others = {name: value for name, value in choice.items() if name != "delta"}
    return {**others, "message": {"role": "assistant", **fields}}


def _has_content(content: object) -> bool:
    if not isinstance(content, list):
        return bool(content)
    return any(_is_answer({"text": part} if isinstance(part, str) else object_of(part)) for part in content)


def _is_answer(part: Mapping[str, Any]) -> bool:
    """Return whether a part of a content is more than an empty text or a thought."""
    kind = part.get("type")
    return bool(part.get("text")) if kind in (None, "text", "output_text") else not is_thought(part)


def _ends_empty(reason: object) -> bool:
    return isinstance(reason, str) and reason.lower() in CUT_BY_LIMIT | CUT_BY_FILTER
