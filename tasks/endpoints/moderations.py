"""`/v1/moderations` (OpenAI API reference, "Create moderation"): which categories a text offends against."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tasks.endpoints.embeddings import plain_input
from tasks.endpoints.endpoint import Body, CheckedRequest, Endpoint, completion_of
from tasks.formats.errors import LineRejected
from tasks.formats.inputs.parameters import check_kinds
from tasks.json_values import object_of, objects_in
from tasks.parameters import Parameter
from tasks.parameters.table import table

_INPUT = "input"
_PARAMETERS: Mapping[str, Parameter] = table()
_URLS = ("https://", "http://", "data:")


def _check(body: Body) -> CheckedRequest:
    given = body[_INPUT]
    parts = [given] if isinstance(given, str) else given
    if not isinstance(parts, list) or not parts or not (_are_texts(parts) or all(map(_is_part, parts))):
        raise LineRejected("invalid_input", "input is neither text, a list of texts, nor a list of parts")
    prompt = _prompt_of(body)
    if not prompt.strip() and all(_text(part) is not None for part in parts):
        raise LineRejected("empty_prompt", "the input holds no text")
    check_kinds(body, _PARAMETERS, input_key=_INPUT)
    return CheckedRequest(prompt, len(parts), None)


def _are_texts(parts: list[Any]) -> bool:
    return all(isinstance(part, str) for part in parts)


def _is_part(part: object) -> bool:
    if not isinstance(part, dict):
        return False
    image = part.get("image_url")
    url = image.get("url") if isinstance(image, dict) else None
    is_image = part.get("type") == "image_url" and isinstance(url, str) and url.startswith(_URLS)
    return is_image or (part.get("type") == "text" and isinstance(part.get("text"), str))


def _text(part: Any) -> str | None:
    """Return the text of a part; None for an image."""
    if isinstance(part, str):
        return part
    return str(part["text"]) if part["type"] == "text" else None


def _prompt_of(body: Body) -> str:
    given = body[_INPUT]
    texts = [given] if isinstance(given, str) else [_text(part) for part in given]
    return "\n\n".join(filter(None, texts)).replace("\0", " ")


def _has_answer(reply: Body, _request: Body) -> bool:
    results = objects_in(reply.get("results"))
    return bool(results) and all(isinstance(result.get("flagged"), bool) for result in results)


def _as_completion(body: Body) -> dict[str, Any]:
    """Return the reply with what was flagged as JSON for its text, a list where there are several results."""
    return completion_of([_finding(result) for result in objects_in(body.get("results"))], body.get("usage"))


def _finding(result: Mapping[str, Any]) -> dict[str, Any]:
    flagged = object_of(result.get("categories")).items()
    return {"flagged": result.get("flagged"), "categories": [name for name, found in flagged if found]}


MODERATIONS = Endpoint(
    path="/v1/moderations",
    input_key=_INPUT,
    parameters=_PARAMETERS,
    limit_key=None,
    routed=True,
    check=_check,
    prompt_of=_prompt_of,
    question_of=_prompt_of,
    plain_request=plain_input,
    has_answer=_has_answer,
    with_text=None,
    as_completion=_as_completion,
)
