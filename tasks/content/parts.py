"""The parts of which the content of a message may be made (OpenAI's API, and vLLM's sound and video)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, TypeAlias

Part: TypeAlias = Mapping[str, Any]

#: what a part is for a model, by the type of the part; text and refusals every model takes
MEDIA: Mapping[str, str] = MappingProxyType({
    "audio_url": "audio",
    "file": "file",
    "image_url": "image",
    "input_audio": "audio",
    "video_url": "video",
})  # fmt: skip
#: the types of parts of `/v1/responses`, whose values stand in the part itself, and those of chat completions
_OF_RESPONSES: Mapping[str, str] = MappingProxyType({"input_file": "file", "input_image": "image_url"})
_URLS = ("https://", "http://", "data:", "gs://", "s3://")
_NAME = re.compile(r"\w{1,40}")


def problem_of(part: object) -> str | None:
    """Return what is wrong with a part, for people and without quoting it; None for a valid one."""
    if not isinstance(part, dict):
        return "a part is not an object"
    kind = part.get("type")
    check = _CHECKS.get(kind) if isinstance(kind, str) else None
    if check is None:
        shown = f"'{kind}'" if isinstance(kind, str) and _NAME.fullmatch(kind) else "given"
        return f"the type {shown} of a part is none of {', '.join(_CHECKS)}"
    return check(part)


def media_parts(content: object) -> Iterator[Part]:
    """Yield the parts of a checked message's content that are no text."""
    if isinstance(content, list):
        yield from (part for part in content if part["type"] in MEDIA)


def media_in(request: Mapping[str, Any]) -> Iterator[Part]:
    """Yield the parts of a checked request that are no text, in the shape of chat completions."""
    for message in request.get("messages") or ():
        if isinstance(message.get("content"), list):
            yield from media_parts(message["content"])
    items = request.get("input")
    for item in items if isinstance(items, list) else ():
        if isinstance(item, dict):
            # An item of moderations is a part itself.
            yield from _media_of_parts([item])
            yield from _media_of_parts(item.get("output", item.get("content")))


def _media_of_parts(parts: object) -> Iterator[Part]:
    for part in parts if isinstance(parts, list) else ():
        kind = part.get("type") if isinstance(part, dict) else None
        if not isinstance(kind, str):
            continue
        if kind in MEDIA:
            yield part
        elif kind in _OF_RESPONSES:
            yield _as_chat_part(part, _OF_RESPONSES[kind])


def _as_chat_part(part: Part, kind: str) -> Part:
    url = part.get("image_url")
    values = {"url": url, "detail": part.get("detail")} if kind == "image_url" else part
    return {"type": kind, kind: {name: value for name, value in values.items() if name != "type"}}


def _text_problem(key: str) -> Callable[[Part], str | None]:
    return lambda part: None if isinstance(part.get(key), str) else f"a part of type {key} holds no text"


def _url_problem(key: str) -> Callable[[Part], str | None]:
    def problem(part: Part) -> str | None:
        holder = part.get(key)
        url = holder.get("url") if isinstance(holder, dict) else None
        if not isinstance(url, str) or not url.startswith(_URLS):
            return f"a part of type {key} holds no url (https, http, data, gs or s3)"
        if url.startswith("data:") and "," not in url:
            return f"the data URL of a part of type {key} has no data"
        return None

    return problem


def _audio_problem(part: Part) -> str | None:
    audio = part.get("input_audio")
    values = [audio.get(key) for key in ("data", "format")] if isinstance(audio, dict) else [None]
    has_both = all(isinstance(value, str) and value for value in values)
    return None if has_both else "a part of type input_audio needs data and format"


def _file_problem(part: Part) -> str | None:
    file = part.get("file")
    values = [file.get(key) for key in ("file_id", "file_data")] if isinstance(file, dict) else []
    has_one = any(isinstance(value, str) and value for value in values)
    return None if has_one else "a part of type file holds neither file_id nor file_data"


_CHECKS: Mapping[str, Callable[[Part], str | None]] = MappingProxyType({
    "text": _text_problem("text"),
    "refusal": _text_problem("refusal"),
    "image_url": _url_problem("image_url"),
    "input_audio": _audio_problem,
    "file": _file_problem,
    "audio_url": _url_problem("audio_url"),
    "video_url": _url_problem("video_url"),
})  # fmt: skip
