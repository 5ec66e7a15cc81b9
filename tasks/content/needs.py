"""What a request needs of a model, beyond answering text with text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tasks.capabilities.capabilities import EXTRA
from tasks.content.parts import MEDIA, media_parts

#: the answer's modalities that not every model has
_OUTPUTS = {"audio": "audio_output", "image": "image_output"}
_NOTHING: frozenset[str] = frozenset()
_KEYS = frozenset(("tools", "functions", "response_format", "logprobs", "modalities"))


def needs_of(request: Mapping[str, Any], extra: frozenset[str] = _NOTHING) -> frozenset[str]:
    """Return the needs of a checked request: kinds of `tasks.capabilities.capabilities`, and parameters.

    Args:
        request: The request.
        extra: The parameters beyond OpenAI's API that some model takes; those set are needs, too.
    """
    found: set[str] = set()
    for message in request.get("messages") or ():
        if isinstance(message.get("content"), list):
            found.update(MEDIA[part["type"]] for part in media_parts(message["content"]))
    if not _KEYS.isdisjoint(request):
        found.update(_needs_by_parameters(request))
    if not extra.isdisjoint(request):
        found.update(f"{EXTRA}{name}" for name in request.keys() & extra)
    return frozenset(found) if found else _NOTHING


def _needs_by_parameters(request: Mapping[str, Any]) -> Iterator[str]:
    if request.get("tools") or request.get("functions"):
        yield "tools"
    if (request.get("response_format") or {}).get("type") == "json_schema":
        yield "json_schema"
    if request.get("logprobs"):
        yield "logprobs"
    yield from (_OUTPUTS[name] for name in request.get("modalities") or () if name in _OUTPUTS)
