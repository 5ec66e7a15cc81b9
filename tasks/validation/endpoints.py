"""What a request demands of its answer, and what a reply holds, by the endpoint's shapes of JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tasks.endpoints.endpoint import CHAT_PATH
from tasks.validation.schema import SchemaError, schema_error, schema_text
from tasks.validation.values import Answer, Cut, Expectation

RESPONSES = "/v1/responses"
COMPLETIONS = "/v1/completions"
#: the keys of a request that may hold a schema
SCHEMA_KEYS = frozenset({
    "functions", "guided_json", "json_schema", "output_config", "response_format", "structured_outputs",
    "text", "tools",
})  # fmt: skip
_ANY_OBJECT = '{"type":"object"}'


def expectation_of(
    request: Mapping[str, Any], *, endpoint: str = CHAT_PATH, validators: Sequence[str] = ()
) -> Expectation:
    """Return what a request and the batch's validators demand of the answer.

    Raises:
        SchemaError: A schema is not a JSON object, or too large.
    """
    if endpoint not in (CHAT_PATH, RESPONSES, COMPLETIONS):
        return Expectation()
    own = tuple(validators)
    if SCHEMA_KEYS.isdisjoint(request):
        return Expectation(validators=own)
    schema = _demanded_schema(request)
    return Expectation(schema, _strict_tools(request), own)


def invalid_schema(request: Mapping[str, Any], *, endpoint: str = CHAT_PATH) -> str | None:
    """Return why a schema in a request cannot be used; None if all can."""
    if SCHEMA_KEYS.isdisjoint(request):
        return None
    try:
        expected = expectation_of(request, endpoint=endpoint)
    except SchemaError as error:
        return f"a schema {error}"
    if expected.schema is not None and (reason := schema_error(expected.schema)):
        return f"the schema of the answer {reason}"
    for number, (_, parameters) in enumerate(expected.tools, start=1):
        if parameters is not None and (reason := schema_error(parameters)):
            return f"the schema of tool {number} {reason}"
    return None


def answer_of(reply: Mapping[str, Any], *, endpoint: str = CHAT_PATH) -> Answer:
    """Return what a reply holds; a reply of an unknown shape holds nothing."""
    if endpoint == RESPONSES:
        return _response_answer(reply)
    choice = _object(next(iter(_list(reply.get("choices"))), None))
    cut = _cut(choice.get("finish_reason"))
    if endpoint == COMPLETIONS:
        return Answer(_text(choice.get("text")), cut=cut)
    message = _object(choice.get("message"))
    refused = bool(message.get("refusal")) and not message.get("content")
    return Answer(_text(message.get("content")), tuple(_chat_calls(message)), refused, cut)


def with_text(reply: Mapping[str, Any], text: str, *, endpoint: str = CHAT_PATH) -> dict[str, Any]:
    """Return a reply whose text is replaced."""
    if endpoint == RESPONSES:
        return {**reply, "output": _output_with_text(_list(reply.get("output")), text)}
    first, *others = _list(reply.get("choices"))
    if endpoint == COMPLETIONS:
        return {**reply, "choices": [{**first, "text": text}, *others]}
    return {**reply, "choices": [{**first, "message": {**first["message"], "content": text}}, *others]}


def _demanded_schema(request: Mapping[str, Any]) -> str | None:
    """Return the schema of the text, whichever server's parameter names it."""
    structured = _object(request.get("structured_outputs")).get("json")
    for given in (request.get("guided_json"), structured, request.get("json_schema")):
        if given is not None:
            return schema_text(given)
    nested = [_object(request.get(name)).get("format") for name in ("text", "output_config")]
    form = next(filter(None, map(_object, (request.get("response_format"), *nested))), {})
    if form.get("type") == "json_schema":
        # Chat completions nest the schema, responses do not.
        given = form.get("json_schema", form)
        if not isinstance(given, dict):
            raise SchemaError("is not a JSON object")
        return "{}" if given.get("schema") is None else schema_text(given["schema"])
    if form.get("type") == "json_object":
        given = form.get("schema") or form.get("response_schema")
        return _ANY_OBJECT if given is None else schema_text(given)
    return None


def _strict_tools(request: Mapping[str, Any]) -> tuple[tuple[str, str | None], ...]:
    tools = [_object(tool) for tool in (*_list(request.get("tools")), *_list(request.get("functions")))]
    functions = [_object(tool["function"]) if "function" in tool else tool for tool in tools]
    named = [one for one in functions if isinstance(one.get("name"), str)]
    if not any(one.get("strict") is True for one in named):
        return ()
    return tuple((one["name"], _parameters(one)) for one in named)


def _parameters(function: Mapping[str, Any]) -> str | None:
    if function.get("strict") is not True or function.get("parameters") is None:
        return None
    return schema_text(function["parameters"])


def _chat_calls(message: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    functions = [_object(call).get("function") for call in _list(message.get("tool_calls"))]
    for function in map(_object, (*functions, message.get("function_call"))):
        if function:
            yield str(function.get("name")), _text(function.get("arguments")) or ""


def _response_answer(reply: Mapping[str, Any]) -> Answer:
    items = [_object(item) for item in _list(reply.get("output"))]
    parts = [_object(part) for item in items for part in _list(item.get("content"))]
    texts = [part["text"] for part in parts if isinstance(part.get("text"), str) and _is_output(part)]
    calls = [
        (str(item.get("name")), _text(item.get("arguments")) or "")
        for item in items
        if item.get("type") == "function_call"
    ]
    refused = any(part.get("type") == "refusal" for part in parts) and not texts
    cut = _cut(_object(reply.get("incomplete_details")).get("reason"))
    return Answer("".join(texts) if texts else None, tuple(calls), refused, cut)


def _output_with_text(output: Sequence[Any], text: str) -> list[Any]:
    """Return the output with the text in its first part, and the other parts empty of text."""
    left: list[str] = [text]
    return [
        {**item, "content": [_replaced(part, left) for part in _list(item.get("content"))]}
        if isinstance(item, dict) and item.get("content")
        else item
        for item in output
    ]


def _replaced(part: Any, left: list[str]) -> Any:
    if not isinstance(part, dict) or not _is_output(part):
        return part
    return {**part, "text": left.pop() if left else ""}


def _is_output(part: Mapping[str, Any]) -> bool:
    return part.get("type") == "output_text"


def _cut(reason: object) -> Cut:
    if reason in ("length", "max_output_tokens"):
        return "length"
    return "content_filter" if reason == "content_filter" else ""


def _text(value: object) -> str | None:
    if isinstance(value, list):
        parts = [_object(part).get("text") for part in value]
        return "".join(part for part in parts if isinstance(part, str))
    return value if isinstance(value, str) else None


def _object(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
