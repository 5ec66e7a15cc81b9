"""The validation of chat messages, and the prompt that they hold."""

from typing import Any, TypeAlias, TypeGuard

from tasks.formats.errors import LineRejected

_ROLES = frozenset({"system", "developer", "user", "assistant", "tool", "function"})
_IMAGE_URLS = ("https://", "http://", "data:")
_Message: TypeAlias = dict[str, Any]


def prompt_of(messages: object) -> str:
    """Return the text of the user messages, joined by blank lines; raises LineRejected if one is invalid."""
    if not isinstance(messages, list) or not messages:
        raise LineRejected("invalid_messages", "messages is not a non-empty list")
    for number, message in enumerate(messages, start=1):
        problem = _problem(message)
        if problem:
            raise LineRejected("invalid_messages", f"message {number}: {problem}")
    prompt = checked_prompt_of(messages)
    if not prompt.strip() and not any(_has_image(message["content"]) for message in _user_messages(messages)):
        raise LineRejected("empty_prompt", "no user message holds any text")
    return prompt


def checked_prompt_of(messages: list[_Message]) -> str:
    """Return what `prompt_of` does, without checking; for messages that it has accepted before."""
    texts = [text_of(message["content"]) for message in _user_messages(messages)]
    return "\n\n".join(filter(None, texts)).replace("\0", " ")


def _user_messages(messages: list[_Message]) -> list[_Message]:
    return [message for message in messages if message["role"] == "user"]


def _problem(message: object) -> str | None:
    if not isinstance(message, dict):
        return "is not an object"
    role = message.get("role")
    if not isinstance(role, str) or role not in _ROLES:
        return f"role is not one of {', '.join(sorted(_ROLES))}"
    if role == "tool" and not isinstance(message.get("tool_call_id"), str):
        return "a tool message needs a tool_call_id"
    return _content_problem(role, message)


def _content_problem(role: str, message: _Message) -> str | None:
    content = message.get("content")
    if isinstance(content, str):
        return None
    if content is None:
        has_calls = role == "assistant" and (message.get("tool_calls") or message.get("function_call"))
        return None if has_calls else "content is missing"
    if isinstance(content, list) and content and all(map(_is_part, content)):
        return None
    return "content is neither text nor a list of text and image_url parts"


def _is_part(part: object) -> TypeGuard[dict[str, Any]]:
    if not isinstance(part, dict):
        return False
    if part.get("type") == "text":
        return isinstance(part.get("text"), str)
    image = part.get("image_url")
    url = image.get("url") if isinstance(image, dict) else None
    return part.get("type") == "image_url" and isinstance(url, str) and url.startswith(_IMAGE_URLS)


def text_of(content: str | list[_Message]) -> str:
    """Return the text of a message's content, without its images."""
    if isinstance(content, str):
        return content
    return "\n".join(part["text"] for part in content if part["type"] == "text")


def _has_image(content: str | list[_Message]) -> bool:
    return not isinstance(content, str) and any(part["type"] == "image_url" for part in content)
