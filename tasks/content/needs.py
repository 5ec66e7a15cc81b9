"""What a request needs of a model, beyond answering text with text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tasks.capabilities.capabilities import EXTRA
from tasks.content.parts import MEDIA, media_in
from tasks.endpoints.endpoint import CHAT_PATH

#: the answer's modalities that not every model has
_OUTPUTS = {"audio": "audio_output", "image": "image_output"}
_NOTHING: frozenset[str] = frozenset()
#: a request without any of these parameters needs nothing by its parameters
_KEYS = frozenset((
    "functions", "logprobs", "modalities", "response_format", "text", "tools", "top_logprobs",
))  # fmt: skip


def needs_of(
    request: Mapping[str, Any],
    extra: frozenset[str] = _NOTHING,
    *,
    endpoint: str = CHAT_PATH,
    has_parts: bool = True,
) -> frozenset[str]:
    """Return the needs of a checked request: kinds of `tasks.capabilities.capabilities`, and parameters.

    Args:
        request: The request.
        extra: The parameters beyond OpenAI's API that some model takes; those set are needs, too.
        endpoint: The path of the API that it is for; any but chat completions, which most models offer, is a
            need.
        has_parts: Whether any message may hold parts; without, none is looked for.
    """
    found = {MEDIA[part["type"]] for part in media_in(request)} if has_parts else set()
    if endpoint != CHAT_PATH:
        found.add(endpoint)
    if not _KEYS.isdisjoint(request):
        found.update(_needs_by_parameters(request))
    if not extra.isdisjoint(request):
        found.update(f"{EXTRA}{name}" for name in request.keys() & extra)
    return frozenset(found) if found else _NOTHING


def _needs_by_parameters(request: Mapping[str, Any]) -> Iterator[str]:
    if request.get("tools") or request.get("functions"):
        yield "tools"
    if _has_schema(request.get("response_format") or _format_of(request.get("text"))):
        yield "json_schema"
    if request.get("logprobs") or request.get("top_logprobs"):
        yield "logprobs"
    yield from (_OUTPUTS[name] for name in request.get("modalities") or () if name in _OUTPUTS)


def _has_schema(form: object) -> bool:
    return isinstance(form, Mapping) and form.get("type") == "json_schema"


def _format_of(text: object) -> object:
    """Return the format in the parameter `text` of responses."""
    return text.get("format") if isinstance(text, Mapping) else None
