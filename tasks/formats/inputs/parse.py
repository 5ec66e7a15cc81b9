"""The parsing of a line's fields into a request, or into an input error."""

import re
from dataclasses import dataclass
from typing import Any, TypeAlias

from tasks.content.needs import needs_of
from tasks.endpoints.endpoint import CHAT_PATH, CheckedRequest, Endpoint
from tasks.endpoints.registry import ENDPOINTS
from tasks.formats.errors import LineRejected, WrongKind
from tasks.formats.inputs.defaults import Defaults
from tasks.formats.inputs.ids import id_text, is_whole_number
from tasks.formats.inputs.parameters import flattened, quoted_name, with_whole_numbers
from tasks.formats.requests import InputError, InputLimits, ParsedRequest, canonical_body
from tasks.parameters.extra import UNMISTAKABLE
from tasks.validation.endpoints import invalid_schema

_Fields: TypeAlias = dict[str, Any]
#: what a canonical body with parts other than plain text holds; quotes in a text are escaped
_PART = '"type":'
#: a line with any of these keys is an OpenAI Batch line
_BATCH_KEYS = frozenset({"body", "method"})
_MAX_ID_CHARS = 512
#: what helps where a data set has a column that is called like a parameter
_PLAIN_HINT = " (--param-columns says which columns or keys are parameters)"
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Checks:
    """The rules that a request is checked against.

    Attributes:
        models: The names that a request may set as its model; `otherwise` says what any other is.
        limits: The limits on a line.
        extra: The parameters beyond OpenAI's API that some model takes.
        endpoint: The path of the API that plain lines are for which name none.
        model: The model of requests that name none, where their endpoint is not routed.
        defaults: What requests get that do not set it.
    """

    models: frozenset[str]
    limits: InputLimits
    extra: frozenset[str] = frozenset()
    endpoint: str = CHAT_PATH
    model: str | None = None
    defaults: Defaults | None = None
    otherwise: str = "not one of [[models]]"


def parse_fields(fields: object, *, line: int, checks: Checks) -> ParsedRequest | InputError:
    """Return the request in the fields of a line, or the error."""
    custom_id, is_batch_line = None, False
    try:
        checked = _object(fields)
        is_batch_line = _is_batch_line(checked)
        custom_id = _batch_id(checked) if is_batch_line else _plain_id(checked, line)
        endpoint = _batch_endpoint(checked) if is_batch_line else _plain_endpoint(checked, checks.endpoint)
        given = (
            _batch_request(checked, endpoint)
            if is_batch_line
            else _plain_request(checked, endpoint, checks.extra)
        )
        request = flattened(given)
        if checks.defaults is not None:
            request = checks.defaults.over(request, endpoint)
        parsed = _parsed(request, endpoint, line, custom_id, checks)
        return parsed._replace(integer_id=not is_batch_line and is_whole_number(_named_id(checked)[1]))
    except LineRejected as rejected:
        if custom_id is None and rejected.given_id is not None:
            custom_id = _id_of_rejected(rejected.given_id)
        hint = _PLAIN_HINT if isinstance(rejected, WrongKind) and not is_batch_line else ""
        return InputError(line, rejected.code, rejected.reason + hint, custom_id)
    except Exception as defect:  # one of ours: it must not cost the other lines
        return InputError(line, "internal_error", f"cannot be read: {type(defect).__name__}", custom_id)


def _object(fields: object) -> _Fields:
    if isinstance(fields, LineRejected):
        raise fields
    if not isinstance(fields, dict):
        raise LineRejected("not_an_object", "is not a JSON object")
    return fields


def _is_batch_line(fields: _Fields) -> bool:
    if not _BATCH_KEYS.isdisjoint(fields):
        return True
    url = fields.get("url")
    return isinstance(url, str) and url.startswith("/") and url not in ENDPOINTS


def _batch_id(fields: _Fields) -> str:
    if fields.get("custom_id") is None:
        raise LineRejected("missing_custom_id", "custom_id is missing")
    return _checked_id("custom_id", fields["custom_id"])


def _plain_id(fields: _Fields, line: int) -> str:
    name, given = _named_id(fields)
    if given is None:
        return f"line-{line}"
    return _checked_id(name, given if isinstance(given, str) else id_text(given))


def _named_id(fields: _Fields) -> tuple[str, Any]:
    """Return the id of a plain line and its name; lines for another tool may have a `custom_id` instead."""
    name = "id" if fields.get("id") is not None else "custom_id"
    return name, fields.get(name)


def _id_of_rejected(given: object) -> str | None:
    try:
        return _checked_id("id", id_text(given))
    except LineRejected:
        return None


def _checked_id(name: str, value: object) -> str:
    if not isinstance(value, str) or not value.strip():
        raise LineRejected("invalid_custom_id", f"{name} is not a non-empty text")
    if len(value) > _MAX_ID_CHARS:
        raise LineRejected("invalid_custom_id", f"{name} is longer than {_MAX_ID_CHARS} characters")
    if _CONTROL.search(value):
        raise LineRejected("invalid_custom_id", f"{name} holds control characters")
    return value


def _batch_endpoint(fields: _Fields) -> Endpoint:
    if fields.get("method") != "POST":
        raise LineRejected("invalid_method", "method is not POST")
    url = fields.get("url")
    endpoint = ENDPOINTS.get(url) if isinstance(url, str) else None
    if endpoint is None:
        raise LineRejected("unknown_url", f"url is none of {', '.join(ENDPOINTS)}")
    return endpoint


def _batch_request(fields: _Fields, endpoint: Endpoint) -> _Fields:
    body, key = fields.get("body"), endpoint.input_key
    if not isinstance(body, dict) or body.get(key) is None:
        raise LineRejected(f"missing_{key}", f"body holds no {key}")
    return body


def _plain_endpoint(fields: _Fields, default: str) -> Endpoint:
    """Return the endpoint that a plain line names, or the default; other values are a data set's."""
    for key in ("url", "endpoint"):
        path = fields.get(key)
        if isinstance(path, str) and path in ENDPOINTS:
            return ENDPOINTS[path]
    return ENDPOINTS[default]


def _plain_request(fields: _Fields, endpoint: Endpoint, extra: frozenset[str]) -> _Fields:
    """Return the endpoint request of a plain line; other keys (category, scores …) are ignored."""
    own = endpoint.parameters
    request = {
        name: value
        for name, value in fields.items()
        if name in own or name in UNMISTAKABLE or name == "model" or name in extra
    }
    return {**request, **endpoint.plain_request(fields)}


def _parsed(request: _Fields, endpoint: Endpoint, line: int, custom_id: str, checks: Checks) -> ParsedRequest:
    model = _model(request.get("model"), endpoint, checks)
    request, (prompt, messages, max_tokens) = _checked(request, endpoint, checks.extra)
    if len(prompt) > checks.limits.max_prompt_chars:
        reason = f"the prompt is longer than {checks.limits.max_prompt_chars} characters"
        raise LineRejected("prompt_too_long", reason)
    body = _body(request, checks.limits.max_depth)
    if schema_error := invalid_schema(request, endpoint=endpoint.path):
        raise LineRejected("invalid_schema", schema_error)
    return ParsedRequest(
        line,
        custom_id,
        model,
        body,
        messages,
        prompt,
        max_tokens,
        endpoint.path,
        needs=needs_of(request, checks.extra, endpoint=endpoint.path, has_parts=_PART in body),
        parameters={name: request[name] for name in request if name not in ("model", endpoint.input_key)},
    )


def _checked(request: _Fields, endpoint: Endpoint, extra: frozenset[str]) -> tuple[_Fields, CheckedRequest]:
    """Return the request and what is known of it; pandas writes whole numbers beside missing ones as 7.0."""
    try:
        return request, endpoint.check(_without_extra(request, extra))
    except WrongKind:
        request = with_whole_numbers(request, endpoint.parameters)
        return request, endpoint.check(_without_extra(request, extra))


def _without_extra(request: _Fields, extra: frozenset[str]) -> _Fields:
    """Return the parameters that are the endpoint's own; what a model takes beyond them may be anything."""
    if extra.isdisjoint(request):
        return request
    return {name: value for name, value in request.items() if name not in extra}


def _model(name: object, endpoint: Endpoint, checks: Checks) -> str | None:
    if name is None or name == "auto":
        if not endpoint.routed and checks.model is None:
            raise LineRejected("missing_model", f"names no model, and {endpoint.path} is not routed: {_WHY}")
        return None if endpoint.routed else checks.model
    if isinstance(name, str) and name in checks.models:
        return name
    way_out = f"; {_AUTO}" if endpoint.routed else ""
    raise LineRejected("unknown_model", f"the model {quoted_name(name)} is {checks.otherwise}{way_out}")


_AUTO = 'a line with the model "auto" is routed'
_WHY = "vectors of different models do not compare"


def _body(request: _Fields, max_depth: int) -> str:
    try:
        body = canonical_body({name: request[name] for name in request if name != "model"})
        body.encode()
    except UnicodeEncodeError:
        raise LineRejected("not_utf8", "holds bytes or lone surrogates that are not UTF-8") from None
    except (ValueError, TypeError):
        raise LineRejected("invalid_parameter", "a value is NaN, infinite or not JSON") from None
    except RecursionError:
        raise _too_deep(max_depth) from None
    # Each level opens a bracket: most bodies have fewer brackets than the limit, and need no walk.
    if body.count("{") + body.count("[") > max_depth and _is_deeper(request, max_depth):
        raise _too_deep(max_depth)
    return body


def _is_deeper(node: _Fields | list[Any], depth: int) -> bool:
    # `depth` bounds the recursion, which is twice as fast on usual lines as a breadth-first search.
    if depth == 0:
        return True
    for value in node.values() if isinstance(node, dict) else node:
        if isinstance(value, (dict, list)) and _is_deeper(value, depth - 1):
            return True
    return False


def _too_deep(max_depth: int) -> LineRejected:
    return LineRejected("too_deep", f"nested more than {max_depth} levels deep")
