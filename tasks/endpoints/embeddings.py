"""`/v1/embeddings` (OpenAI API reference, "Create embeddings"): the vectors of one input or several."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tasks.endpoints.endpoint import Body, CheckedRequest, Endpoint, completion_of
from tasks.endpoints.token_ids import are_token_ids
from tasks.formats.errors import LineRejected
from tasks.formats.inputs.parameters import check_kinds
from tasks.json_values import objects_in
from tasks.parameters import Parameter
from tasks.parameters.kinds import TEXT, TOKENS
from tasks.parameters.table import table

_INPUT = "input"
_PARAMETERS: Mapping[str, Parameter] = table(
    Parameter("dimensions", TOKENS),
    Parameter("encoding_format", TEXT),
    Parameter("user", TEXT),
)
_ENCODINGS = (None, "float", "base64")


def inputs_of(body: Body) -> list[Any]:
    """Return the inputs of a checked request, each a text or a list of token ids."""
    given = body[_INPUT]
    is_one = isinstance(given, str) or type(given[0]) is int
    return [given] if is_one else given


def _check(body: Body) -> CheckedRequest:
    given = body[_INPUT]
    if not isinstance(given, str) and not (isinstance(given, list) and given):
        raise LineRejected("invalid_input", "input is neither text nor a list of texts or token ids")
    inputs = inputs_of(body)
    for number, one in enumerate(inputs, start=1):
        if not isinstance(one, str) and not are_token_ids(one):
            raise LineRejected("invalid_input", f"input {number} is neither text nor a list of token ids")
        if not one:
            raise LineRejected("empty_prompt", f"input {number} is empty")
    check_kinds(body, _PARAMETERS, input_key=_INPUT)
    if body.get("encoding_format") not in _ENCODINGS:
        raise LineRejected("invalid_parameter", "encoding_format is neither float nor base64")
    return CheckedRequest(_prompt_of(body), len(inputs), None)


def _prompt_of(body: Body) -> str:
    """Return the first text: the models of embeddings are not routed, so that this is for people only."""
    return next((one for one in inputs_of(body) if isinstance(one, str)), "").replace("\0", " ")


def plain_input(fields: Body) -> dict[str, Any]:
    """Return the body of a plain line, which holds its `input` or its `prompt`; raises LineRejected."""
    given = fields.get(_INPUT) if fields.get(_INPUT) is not None else fields.get("prompt")
    if given is None:
        raise LineRejected("missing_input", "holds neither input nor prompt")
    return {_INPUT: given}


def vectors_of(body: Body) -> list[Any]:
    """Return the vectors of a reply, in the order of the inputs: numbers, or Base64 text."""
    items = objects_in(body.get("data"))
    if all(type(item.get("index")) is int for item in items):
        items.sort(key=lambda item: item["index"])
    return [item.get("embedding") for item in items]


def _has_answer(reply: Body, request: Body) -> bool:
    """Return whether there is a vector for each input."""
    vectors = vectors_of(reply)
    is_whole = len(vectors) == len(inputs_of(request))
    return is_whole and all(isinstance(vector, (list, str)) and vector for vector in vectors)


def _as_completion(body: Body) -> dict[str, Any]:
    """Return the reply with its vector as JSON for a text, or with a list of its vectors."""
    return completion_of(vectors_of(body), body.get("usage"))


EMBEDDINGS = Endpoint(
    path="/v1/embeddings",
    input_key=_INPUT,
    parameters=_PARAMETERS,
    limit_key=None,
    routed=False,
    check=_check,
    prompt_of=_prompt_of,
    question_of=_prompt_of,
    plain_request=plain_input,
    has_answer=_has_answer,
    with_text=None,
    as_completion=_as_completion,
)
