"""The columns that hold what a model answered: text, refusal, reasoning, tool calls, citations and media.

Providers and LiteLLM put these at different places of a message; a column has one shape for all of them. A
value of another type than its column's is left out: the `openai` format keeps replies as they came.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tasks.content.answers import (
    flat_objects,
    is_thought,
    joined,
    nonempty_text,
    parts_of,
    refusal_of,
    text_of,
    tool_calls_of,
)
from tasks.json_values import object_of

ANSWER_COLUMNS = ("refusal", "reasoning", "tool_calls", "citations", "images", "audio", "logprobs")
#: the fields that hold citations, of a message and of its `provider_specific_fields`
_CITATIONS = ("annotations", "citations")
#: the same, of the completion as a whole (Perplexity)
_SEARCHES = ("search_results", "citations")
_PLAIN = frozenset({"role", "content"})
_URL_KEYS = ("url", "uri", "source")
_TITLE_KEYS = ("title", "document_title", "filename")
_TEXT_KEYS = ("content", "cited_text", "snippet", "text")


def answer_columns(body: dict[str, Any], choice: dict[str, Any]) -> dict[str, Any]:
    """Return `answer` and `ANSWER_COLUMNS` of a completion's choice, without those that it lacks."""
    message = object_of(choice.get("message"))
    content = message.get("content")
    if isinstance(content, str) and _is_plain(body, message):
        return {"answer": content, "logprobs": _logprobs(choice)}
    parts = parts_of(content)
    return {
        "answer": text_of(message),
        "refusal": refusal_of(message),
        "reasoning": _reasoning(message, parts),
        "tool_calls": tool_calls_of(message) or None,
        "citations": _citations(body, message) or None,
        "images": _images(message, parts) or None,
        "audio": _audio(message.get("audio")),
        "logprobs": _logprobs(choice),
    }


def _is_plain(body: dict[str, Any], message: dict[str, Any]) -> bool:
    """Return whether a message holds text and nothing else; most do."""
    used = {name for name, value in message.items() if value}
    return used <= _PLAIN and body.keys().isdisjoint(_SEARCHES)


def _first(fields: dict[str, Any], names: tuple[str, ...]) -> str | None:
    return next((text for name in names if (text := nonempty_text(fields.get(name)))), None)


def _reasoning(message: dict[str, Any], parts: list[dict[str, Any]]) -> str | None:
    """Return the reasoning: a field (DeepSeek, vLLM, OpenRouter), or blocks (Anthropic, Mistral)."""
    whole = _first(message, ("reasoning_content", "reasoning"))
    if whole:
        return whole
    blocks = [*flat_objects(message.get("thinking_blocks")), *parts]
    return "".join(_thought(_thinking(block)) for block in blocks) or None


def _thinking(block: dict[str, Any]) -> object:
    return block.get("thinking") or (block.get("text") if is_thought(block) else None)


def _thought(thinking: object) -> str:
    return thinking if isinstance(thinking, str) else joined(list(flat_objects(thinking)), "text") or ""


def _citations(body: dict[str, Any], message: dict[str, Any]) -> list[dict[str, Any]]:
    sources = (message, object_of(message.get("provider_specific_fields")))
    found = [source.get(name) for source in sources for name in _CITATIONS]
    found += [body.get(name) for name in _SEARCHES]
    cited = next((value for value in found if isinstance(value, list) and value), [])
    return [_citation(item) for item in _flat(cited)]


def _flat(items: list[Any]) -> Iterator[Any]:
    for item in items:
        if isinstance(item, list):
            yield from _flat(item)
        elif isinstance(item, dict | str):
            yield item


def _citation(item: dict[str, Any] | str) -> dict[str, Any]:
    """Return a citation: a URL (Perplexity), an annotation (OpenAI) or a place in a document (Anthropic)."""
    fields = {"url": item} if isinstance(item, str) else item
    nested = next((fields[name] for name in ("url_citation", "file_citation") if name in fields), fields)
    cited = object_of(nested)
    return {
        "url": _first(cited, _URL_KEYS),
        "title": _first(cited, _TITLE_KEYS),
        "text": _first(cited, _TEXT_KEYS),
        "start_index": _place(cited, ("start_index", "start_char_index")),
        "end_index": _place(cited, ("end_index", "end_char_index")),
    }


def _place(cited: dict[str, Any], names: tuple[str, ...]) -> int | None:
    values = (cited.get(name) for name in names)
    return next((value for value in values if type(value) is int and abs(value) < 2**63), None)


def _images(message: dict[str, Any], parts: list[dict[str, Any]]) -> list[str]:
    """Return the URLs of the images; most are `data:` URLs, which hold the image itself."""
    images = [*flat_objects(message.get("images")), *parts]
    urls = (image.get("image_url") for image in images)
    found = (url.get("url") if isinstance(url, dict) else url for url in urls)
    return [url for url in found if isinstance(url, str)]


def _audio(value: object) -> dict[str, Any] | None:
    """Return the spoken answer: its id, its bytes in Base64, and its words."""
    audio = object_of(value)
    return {name: nonempty_text(audio.get(name)) for name in ("id", "data", "transcript")} if audio else None


def _logprobs(choice: dict[str, Any]) -> dict[str, Any] | None:
    return object_of(choice.get("logprobs")) or None
