"""The validation of chat messages, and the prompt that they hold."""

from typing import Any, TypeAlias

from tasks.content.parts import media_parts, problem_of
from tasks.formats.errors import LineRejected

_ROLES = frozenset({"system", "developer", "user", "assistant", "tool", "function"})
#: a tuple: a role may be of any type
_USUAL_ROLES = ("user", "system", "assistant", "developer")
#: what an assistant's turn may hold instead of content
_INSTEAD = (
    "tool_calls",
    "function_call",
    "refusal",
    "audio",
    "reasoning_content",
    "reasoning",
    "thinking_blocks",
)
_INSTRUCTING = ("system", "developer")
_Message: TypeAlias = dict[str, Any]


def prompt_of(messages: object) -> str:
    """Return the text for the router; raises LineRejected if a message is invalid or none holds anything.

    It is that of the user messages, joined by blank lines; in a conversation without a user, that of the
    instructions, or else of all messages. Images, sounds and files are no text.
    """
    if not isinstance(messages, list) or not messages:
        raise LineRejected("invalid_messages", "messages is not a non-empty list")
    for number, message in enumerate(messages, start=1):
        if not _is_plain(message) and (problem := _problem(message)):
            raise LineRejected("invalid_messages", f"message {number}: {problem}")
    prompt = checked_prompt_of(messages)
    if not prompt.strip() and not any(_has_media(message) for message in _of_user(messages)):
        raise LineRejected("empty_prompt", "no user message holds any text")
    return prompt


def checked_prompt_of(messages: list[_Message]) -> str:
    """Return what `prompt_of` does, without checking; for messages that it has accepted before."""
    texts = [text_of(message.get("content")) for message in _of_user(messages)]
    return "\n\n".join(filter(None, texts)).replace("\0", " ")


def _of_user(messages: list[_Message]) -> list[_Message]:
    """Return the messages that stand for the prompt."""
    of_user = [message for message in messages if message["role"] == "user"]
    return of_user or [message for message in messages if message["role"] in _INSTRUCTING] or messages


def _is_plain(message: object) -> bool:
    """Return whether a message is a text in one of the usual roles, as most are: then nothing is wrong."""
    if type(message) is not dict or type(message.get("content")) is not str:
        return False
    return message.get("role") in _USUAL_ROLES and "name" not in message


def _problem(message: object) -> str | None:
    if not isinstance(message, dict):
        return "is not an object"
    role = message.get("role")
    if not isinstance(role, str) or role not in _ROLES:
        return f"role is not one of {', '.join(sorted(_ROLES))}"
    if role == "tool" and not isinstance(message.get("tool_call_id"), str):
        return "a tool message needs a tool_call_id"
    if "name" in message and not isinstance(message["name"], str | None):
        return "name is not a text"
    return _content_problem(role, message)


def _content_problem(role: str, message: _Message) -> str | None:
    content = message.get("content")
    if isinstance(content, str):
        return None
    if content is None:
        has_other = role == "assistant" and any(message.get(key) for key in _INSTEAD)
        return None if has_other or role == "function" else "content is missing"
    if not isinstance(content, list) or (role == "user" and not content):
        return "content is neither text nor a list of parts"
    return next((problem for part in content if (problem := problem_of(part))), None)


def text_of(content: str | list[_Message] | None) -> str:
    """Return the text of a message's content, without its images, sounds and files."""
    if isinstance(content, str):
        return content
    return "\n".join(part["text"] for part in content or () if part["type"] == "text")


def _has_media(message: _Message) -> bool:
    return next(media_parts(message.get("content")), None) is not None
