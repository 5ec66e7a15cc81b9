"""What a request needs of a model, beyond answering text with text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tasks.capabilities.capabilities import EXTRA
from tasks.content.parts import MEDIA, media_parts

#: the answer's modalities that not every model has
_OUTPUTS = {"audio": "audio_output", "image": "image_output"}
_NOTHING: frozenset[str] = frozenset()


def needs_of(request: Mapping[str, Any], extra: frozenset[str] = frozenset()) -> frozenset[str]:
    """Return the needs of a checked request: kinds of `tasks.capabilities.capabilities`, and parameters.

    Args:
        request: The request.
        extra: The parameters beyond OpenAI's API that some model takes; those set are needs, too.
    """
    found = set(_media_of(request.get("messages")))
    if request.get("tools") or request.get("functions"):
        found.add("tools")
    if (request.get("response_format") or _NO_FORMAT).get("type") == "json_schema":
        found.add("json_schema")
    if request.get("logprobs"):
        found.add("logprobs")
    found.update(_OUTPUTS[name] for name in request.get("modalities") or () if name in _OUTPUTS)
    if extra:
        found.update(f"{EXTRA}{name}" for name in request.keys() & extra)
    return frozenset(found) if found else _NOTHING


_NO_FORMAT: Mapping[str, Any] = {}


def _media_of(messages: object) -> list[str]:
    if not isinstance(messages, list):
        return []
    contents = [message.get("content") for message in messages]
    return [MEDIA[part["type"]] for content in contents for part in media_parts(content)]
