"""The checks of a request's parameters against the table of its endpoint (`tasks.parameters`)."""

import re
from collections.abc import Mapping
from typing import Any

from tasks.formats.errors import LineRejected, WrongKind
from tasks.parameters import CHAT_PARAMETERS, Parameter
from tasks.parameters.extra import PRESETS
from tasks.parameters.kinds import TOKENS, WHOLE_NUMBER
from tasks.parameters.operators import REQUEST, is_operators

_WHOLE = (TOKENS, WHOLE_NUMBER)
_NAME = re.compile(r"[\w./:@-]{1,80}")


def quoted_name(name: object) -> str:
    """Return the name in quotes if it looks like one, else `given`: other text may be part of a prompt."""
    return f"'{name}'" if isinstance(name, str) and _NAME.fullmatch(name) else "given"


def flattened(request: dict[str, Any]) -> dict[str, Any]:
    """Return the request with the keys of its `extra_body` beside its own; raises LineRejected."""
    if "extra_body" not in request:
        return request
    extra = request["extra_body"]
    if not isinstance(extra, dict | None):
        raise _invalid("extra_body is not an object")
    rest = {name: value for name, value in request.items() if name != "extra_body"}
    for name in extra or {}:
        if name in REQUEST:
            raise _invalid(f"extra_body may not set {quoted_name(name)}")
        if name in rest:
            raise _invalid(f"the parameter {quoted_name(name)} is set twice: in extra_body, too")
    return {**rest, **(extra or {})}


def check_parameters(request: Mapping[str, object]) -> int | None:
    """Check the parameters of a chat completion and return the answer's token limit, if set.

    Args:
        request: The request, without an `extra_body` (see `flattened`) and without the extra parameters that
            some model takes.

    Raises:
        LineRejected: A parameter is not known, or its value is not of its kind.
    """
    check_kinds(request, CHAT_PARAMETERS, input_key="messages")
    if request.get("stream"):
        raise _invalid("stream is set; a batch has no one to stream to")
    if request.get("n") not in (None, 1):
        raise _invalid("n is not 1; a request has one answer")
    limits = [limit for name in ("max_completion_tokens", "max_tokens") if (limit := request.get(name))]
    if len(limits) > 1:
        raise _invalid("max_tokens and max_completion_tokens are both set; which one bounds the answer?")
    return limits[0] if limits else None  # type: ignore[return-value]


def check_kinds(request: Mapping[str, object], table: Mapping[str, Parameter], *, input_key: str) -> None:
    """Check that the table of an endpoint has each parameter, and its kind of value; raises LineRejected."""
    for name, value in request.items():
        parameter = table.get(name)
        if parameter is None:
            if name != input_key and name != "model":
                raise _unknown(name)
        elif value is not None and not parameter.kind.accepts(value):
            raise WrongKind("invalid_parameter", f"{name} is not {parameter.kind.name}")


def with_whole_numbers(request: dict[str, Any], table: Mapping[str, Parameter]) -> dict[str, Any]:
    """Return the request with floats such as 7.0 as ints, where a parameter is a whole number."""
    return {
        name: int(value)
        if isinstance(value, float) and value.is_integer() and name in table and table[name].kind in _WHOLE
        else value
        for name, value in request.items()
    }


def _unknown(name: str) -> LineRejected:
    """Return the error of a name that no model takes, with what would change that."""
    shown = quoted_name(name)
    if is_operators(name) and not any(name in preset for preset in PRESETS.values()):
        return _invalid(f"the parameter {shown} is not supported in a batch")
    reason = f"the parameter {shown} is taken by no model: its extra_params in [[models]] must name it"
    return _invalid(reason)


def _invalid(reason: str) -> LineRejected:
    return LineRejected("invalid_parameter", reason)
