"""Checks of requests that several providers make, each in its own words."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from workers.simulator.errors import bad_request


def refuse_unknown(raw: Mapping[str, Any], known: Collection[str], message: str) -> None:
    """Raise RefusedError for a parameter that the provider lacks; `{}` stands for its name."""
    unknown = next((name for name in raw if name not in known), None)
    if unknown is not None:
        raise bad_request(message.format(unknown))


def check_tool_history(messages: Sequence[Mapping[str, Any]]) -> None:
    """Raise RefusedError unless each answer of a tool follows the call that asked for it, as OpenAI does."""
    asked: set[str] = set()
    for message in messages:
        if message.get("role") != "tool":
            asked |= {str(call.get("id")) for call in message.get("tool_calls") or ()}
        elif message.get("tool_call_id") not in asked:
            raise bad_request(
                "Invalid parameter: messages with role 'tool' must be a response to a preceding message"
                " with 'tool_calls'."
            )


def check_contents(messages: Sequence[Mapping[str, Any]]) -> None:
    """Raise RefusedError for a message that says nothing and calls nothing, as OpenAI does."""
    for index, message in enumerate(messages):
        rest = message.get("tool_calls") or message.get("function_call") or message.get("refusal")
        if message.get("content") is None and not rest and not message.get("audio"):
            raise bad_request(
                f"Invalid value for 'content' at messages[{index}]: expected a string, got null."
            )


def check_images(messages: Sequence[Mapping[str, Any]]) -> None:
    """Raise RefusedError for an image whose URL is neither a web address nor data."""
    for message in messages:
        content = message.get("content")
        for part in content if isinstance(content, list) else ():
            url = (part.get("image_url") or {}).get("url", "") if part.get("type") == "image_url" else "data:"
            if not str(url).startswith(("data:", "https://", "http://")):
                raise bad_request("Invalid image URL: expected a valid URL or data URL.")
