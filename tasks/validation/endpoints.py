"""What a request demands of its answer, and what a reply holds, by the endpoint's shapes of JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from tasks.content.answers import (
    CUT_BY_FILTER,
    CUT_BY_LIMIT,
    first_choice,
    refusal_of,
    text_of,
    tool_calls_of,
)
from tasks.endpoints.endpoint import CHAT_PATH
from tasks.endpoints.registry import endpoint_of
from tasks.json_values import object_of, objects_in
from tasks.parameters.schemas import WITH_SCHEMAS
from tasks.validation.schema import SchemaError, schema_error, schema_text
from tasks.validation.values import Answer, Cut, Expectation

_ANY_OBJECT = '{"type":"object"}'


def expectation_of(
    request: Mapping[str, Any], *, endpoint: str = CHAT_PATH, validators: Sequence[str] = ()
) -> Expectation:
    """Return what a request and the batch's validators demand of the answer.

    Raises:
        SchemaError: A schema is not a JSON object, or too large.
    """
    if not endpoint_of(endpoint).answers_text:
        return Expectation()
    own = tuple(validators)
    if WITH_SCHEMAS.isdisjoint(request):
        return Expectation(validators=own)
    schema = _demanded_schema(request)
    return Expectation(schema, _strict_tools(request), own)


def invalid_schema(request: Mapping[str, Any], *, endpoint: str = CHAT_PATH) -> str | None:
    """Return why a schema in a request cannot be used; None if all can."""
    if WITH_SCHEMAS.isdisjoint(request):
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
    choice = first_choice(endpoint_of(endpoint).as_completion(reply))
    message = object_of(choice.get("message"))
    text = text_of(message)
    refused = not text and refusal_of(message) is not None
    return Answer(text, tuple(map(_call, tool_calls_of(message))), refused, _cut(choice.get("finish_reason")))


def with_text(reply: Mapping[str, Any], text: str, *, endpoint: str = CHAT_PATH) -> dict[str, Any]:
    """Return a reply whose text is replaced."""
    replaced = endpoint_of(endpoint).with_text
    return dict(reply) if replaced is None else replaced(reply, text)


def _demanded_schema(request: Mapping[str, Any]) -> str | None:
    """Return the schema of the text, whichever server's parameter names it."""
    structured = object_of(request.get("structured_outputs")).get("json")
    for given in (request.get("guided_json"), structured, request.get("json_schema")):
        if given is not None:
            return schema_text(given)
    nested = [object_of(request.get(name)).get("format") for name in ("text", "output_config")]
    form = next(filter(None, map(object_of, (request.get("response_format"), *nested))), {})
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
    tools = [*objects_in(request.get("tools")), *objects_in(request.get("functions"))]
    functions = [object_of(tool.get("function", tool.get("custom", tool))) for tool in tools]
    named = [one for one in functions if isinstance(one.get("name"), str)]
    if not any(one.get("strict") is True for one in named):
        return ()
    return tuple((one["name"], _parameters(one)) for one in named)


def _parameters(function: Mapping[str, Any]) -> str | None:
    if function.get("strict") is not True or function.get("parameters") is None:
        return None
    return schema_text(function["parameters"])


def _call(call: Mapping[str, Any]) -> tuple[str, str]:
    """Return the name and the arguments of a call; the input of a custom tool is a text in JSON."""
    function = call["function"]
    arguments = function["arguments"] or ""
    return str(function["name"]), json.dumps(arguments) if call["type"] == "custom" else arguments


def _cut(reason: object) -> Cut:
    word = reason.lower() if isinstance(reason, str) else ""
    if word in CUT_BY_LIMIT:
        return "length"
    return "content_filter" if word in CUT_BY_FILTER else ""
