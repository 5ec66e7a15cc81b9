"""The parsing of a line's fields into a request, or into an input error."""

import re
from dataclasses import dataclass
from typing import Any, TypeAlias

from tasks.content.needs import needs_of
from tasks.endpoints.endpoint import CHAT_PATH, Endpoint
from tasks.endpoints.registry import ENDPOINTS
from tasks.formats.errors import LineRejected, WrongKind
from tasks.formats.inputs.ids import id_text
from tasks.formats.inputs.names import listed
from tasks.formats.inputs.parameters import PLAIN_KEYS, flattened, quoted_name
from tasks.formats.inputs.shapes.registry import hint
from tasks.formats.requests import InputError, InputLimits, ParsedRequest, canonical_body
from tasks.validation.endpoints import invalid_schema

_Fields: TypeAlias = dict[str, Any]
#: a line with any of these keys is an OpenAI Batch line
_BATCH_KEYS = frozenset({"body", "url", "method"})
_MAX_ID_CHARS = 512
#: what helps where a data set has a column that is called like a parameter
_PLAIN_HINT = " (--param-columns says which columns or keys are parameters)"
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Checks:
    """The rules that a request is checked against.

    Attributes:
        models: The names that a request may set as its model.
        limits: The limits on a line.
        extra: The parameters beyond OpenAI's API that some model takes.
    """

    models: frozenset[str]
    limits: InputLimits
    extra: frozenset[str] = frozenset()


def parse_fields(fields: object, *, line: int, checks: Checks) -> ParsedRequest | InputError:
    """Return the request in the fields of a line, or the error."""
    custom_id, is_batch_line = None, False
    try:
        checked = _object(fields, checks.limits.max_depth)
        is_batch_line = not _BATCH_KEYS.isdisjoint(checked)
        custom_id = _batch_id(checked) if is_batch_line else _plain_id(checked, line)
        endpoint = _batch_endpoint(checked) if is_batch_line else ENDPOINTS[CHAT_PATH]
        given = _batch_request(checked, endpoint) if is_batch_line else _plain_request(checked, checks.extra)
        return _parsed(flattened(given), endpoint, line, custom_id, checks)
    except LineRejected as rejected:
        if custom_id is None and rejected.given_id is not None:
            custom_id = _id_of_rejected(rejected.given_id)
        reason = rejected.reason
        if isinstance(rejected, WrongKind) and not is_batch_line:
            reason += _PLAIN_HINT
        return InputError(line, rejected.code, reason, custom_id)


def _object(fields: object, max_depth: int) -> _Fields:
    if isinstance(fields, LineRejected):
        raise fields
    if not isinstance(fields, dict):
        raise LineRejected("not_an_object", "is not a JSON object")
    if _is_deeper(fields, max_depth):
        raise LineRejected("too_deep", f"nested more than {max_depth} levels deep")
    return fields


def _is_deeper(node: _Fields | list[Any], depth: int) -> bool:
    # `depth` bounds the recursion, which is twice as fast on usual lines as a breadth-first search.
    if depth == 0:
        return True
    for value in node.values() if isinstance(node, dict) else node:
        if isinstance(value, (dict, list)) and _is_deeper(value, depth - 1):
            return True
    return False


def _batch_id(fields: _Fields) -> str:
    if fields.get("custom_id") is None:
        raise LineRejected("missing_custom_id", "custom_id is missing")
    return _checked_id("custom_id", fields["custom_id"])


def _plain_id(fields: _Fields, line: int) -> str:
    # Plain lines have an `id`; lines written for another tool may have a `custom_id` instead.
    name = "id" if fields.get("id") is not None else "custom_id"
    given = fields.get(name)
    if given is None:
        return f"line-{line}"
    return _checked_id(name, given if isinstance(given, str) else id_text(given))


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
        raise LineRejected("unknown_url", f"url is not {' or '.join(ENDPOINTS)}")
    return endpoint


def _batch_request(fields: _Fields, endpoint: Endpoint) -> _Fields:
    body, key = fields.get("body"), endpoint.input_key
    if not isinstance(body, dict) or body.get(key) is None:
        raise LineRejected(f"missing_{key}", f"body holds no {key}")
    return body


def _plain_request(fields: _Fields, extra: frozenset[str]) -> _Fields:
    """Return the endpoint request of a plain line; other keys (category, scores …) are ignored."""
    request = {
        name: value
        for name, value in fields.items()
        if name in PLAIN_KEYS or name == "model" or name in extra
    }
    return {**request, "messages": _plain_messages(fields)}


def _plain_messages(fields: _Fields) -> object:
    messages, prompt, system = fields.get("messages"), fields.get("prompt"), fields.get("system")
    if messages is not None and prompt is not None:
        raise LineRejected("invalid_messages", "holds both prompt and messages")
    if isinstance(prompt, list):
        # Conversational data sets hold the messages of a prompt under this name.
        messages = prompt
    if messages is not None:
        return _with_system(messages, system)
    if prompt is None:
        names = f"it has {listed(fields)}; {hint(fields.keys())}"
        raise LineRejected("missing_messages", f"holds neither prompt nor messages; {names}")
    if not isinstance(prompt, str) or not isinstance(system, str | None):
        raise LineRejected("invalid_messages", "prompt and system must be text")
    user_message = {"role": "user", "content": prompt}
    return [{"role": "system", "content": system}, user_message] if system else [user_message]


def _with_system(messages: object, system: object) -> object:
    """Put the system text before a list of messages that does not begin with one."""
    if not system or not isinstance(messages, list) or not messages:
        return messages
    first = messages[0].get("role") if isinstance(messages[0], dict) else None
    if first in ("system", "developer"):
        return messages
    return [{"role": "system", "content": system}, *messages]


def _parsed(request: _Fields, endpoint: Endpoint, line: int, custom_id: str, checks: Checks) -> ParsedRequest:
    model = _model(request.get("model"), checks.models)
    prompt, messages, max_tokens = endpoint.check(_without_extra(request, checks.extra))
    if len(prompt) > checks.limits.max_prompt_chars:
        reason = f"the prompt is longer than {checks.limits.max_prompt_chars} characters"
        raise LineRejected("prompt_too_long", reason)
    if schema_error := invalid_schema(request, endpoint=endpoint.path):
        raise LineRejected("invalid_schema", schema_error)
    body = _body(request)
    return ParsedRequest(
        line,
        custom_id,
        model,
        body,
        messages,
        prompt,
        max_tokens,
        endpoint.path,
        needs=needs_of(request, checks.extra),
        parameters={name: request[name] for name in request if name not in ("model", endpoint.input_key)},
    )


def _without_extra(request: _Fields, extra: frozenset[str]) -> _Fields:
    """Return the parameters that are the endpoint's own; what a model takes beyond them may be anything."""
    if extra.isdisjoint(request):
        return request
    return {name: value for name, value in request.items() if name not in extra}


def _model(name: object, models: frozenset[str]) -> str | None:
    if name is None or name == "auto":
        return None
    if isinstance(name, str) and name in models:
        return name
    raise LineRejected("unknown_model", f"the model {quoted_name(name)} is not configured")


def _body(request: _Fields) -> str:
    try:
        body = canonical_body({name: request[name] for name in request if name != "model"})
        body.encode()
    except UnicodeEncodeError:
        raise LineRejected("not_utf8", "holds bytes or lone surrogates that are not UTF-8") from None
    except (ValueError, TypeError):
        raise LineRejected("invalid_parameter", "a value is NaN, infinite or not JSON") from None
    return body
