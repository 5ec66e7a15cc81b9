"""The messages of a plain line: its `messages`, or its `prompt` and `system`."""

from collections.abc import Mapping
from typing import Any

from tasks.formats.errors import LineRejected
from tasks.formats.inputs.names import listed

#: said of every kind of input alike
NO_PROMPT = "holds no prompt: it is empty, None or NaN"


def plain_messages(fields: Mapping[str, Any]) -> object:
    """Return the messages of a line, which are still to be checked; raises LineRejected."""
    messages, prompt, system = fields.get("messages"), fields.get("prompt"), fields.get("system")
    if messages is not None and prompt is not None:
        raise LineRejected("invalid_messages", "holds both prompt and messages")
    if isinstance(prompt, list):
        # Conversational data sets hold the messages of a prompt under this name.
        messages = prompt
    if messages is not None:
        return _with_system(messages, system)
    if prompt is None and "prompt" in fields:
        raise LineRejected("missing_messages", NO_PROMPT)
    if prompt is None:
        raise LineRejected("missing_messages", f"holds neither prompt nor messages; {_help(fields)}")
    if not isinstance(prompt, str) or not isinstance(system, str | None):
        raise LineRejected("invalid_messages", "prompt and system must be text")
    if not prompt.strip():
        raise LineRejected("empty_prompt", NO_PROMPT)
    user_message = {"role": "user", "content": prompt}
    return [{"role": "system", "content": system}, user_message] if system else [user_message]


def _help(fields: Mapping[str, Any]) -> str:
    from tasks.formats.inputs.shapes.registry import hint  # it needs the endpoints

    is_other_endpoint = "input" in fields and "instruction" not in fields
    url = "; an input needs a url, which names its endpoint" if is_other_endpoint else ""
    return f"it has {listed(fields)}; {hint(fields.keys())}{url}"


def _with_system(messages: object, system: object) -> object:
    """Put the system text before a list of messages that does not begin with one."""
    if not system or not isinstance(messages, list) or not messages:
        return messages
    first = messages[0].get("role") if isinstance(messages[0], dict) else None
    if first in ("system", "developer"):
        return messages
    return [{"role": "system", "content": system}, *messages]
