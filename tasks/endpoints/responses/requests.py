"""The requests: their parameters, their prompt, and what would make their cost unbounded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tasks.endpoints.endpoint import Body, CheckedRequest
from tasks.endpoints.responses.items import Item, check_items, checked_items, has_media, text_of
from tasks.formats.errors import LineRejected
from tasks.formats.inputs.parameters import check_kinds, quoted_name
from tasks.parameters import Parameter
from tasks.parameters.kinds import (
    NUMBER,
    OBJECT,
    OBJECTS,
    TEXT,
    TEXT_OR_OBJECT,
    TEXTS,
    TOKENS,
    WHOLE_NUMBER,
    YES_OR_NO,
)
from tasks.parameters.table import table

INPUT = "input"
LIMIT = "max_output_tokens"
PARAMETERS: Mapping[str, Parameter] = table(
    Parameter("background", YES_OR_NO),
    Parameter("include", TEXTS),
    Parameter("instructions", TEXT),
    Parameter(LIMIT, TOKENS),
    Parameter("max_tool_calls", WHOLE_NUMBER),
    Parameter("metadata", OBJECT),
    Parameter("parallel_tool_calls", YES_OR_NO),
    Parameter("prompt_cache_key", TEXT),
    Parameter("prompt_cache_retention", TEXT),
    Parameter("reasoning", OBJECT),
    Parameter("safety_identifier", TEXT),
    Parameter("service_tier", TEXT),
    Parameter("store", YES_OR_NO),
    Parameter("stream", YES_OR_NO),
    Parameter("temperature", NUMBER),
    Parameter("text", OBJECT),
    Parameter("tool_choice", TEXT_OR_OBJECT),
    Parameter("tools", OBJECTS),
    Parameter("top_logprobs", WHOLE_NUMBER),
    Parameter("top_p", NUMBER),
    Parameter("truncation", TEXT),
    Parameter("user", TEXT),
)
#: What the provider keeps and adds to the input: nobody could say before the call what it costs.
_KEPT = ("conversation", "previous_response_id", "prompt")
#: tools that the caller runs; what the provider's own tools read is charged as input, without a bound
_TOOLS = frozenset({"custom", "function"})


def check(body: Body) -> CheckedRequest:
    """Check a request; raises LineRejected."""
    items = check_items(body[INPUT])
    for name in _KEPT:
        if body.get(name) is not None:
            raise LineRejected(
                "invalid_parameter", f"{name} adds what the provider keeps, whose cost has no bound"
            )
    given = {name: value for name, value in body.items() if name not in _KEPT}
    check_kinds(given, PARAMETERS, input_key=INPUT)
    for name in ("background", "stream"):
        if body.get(name):
            raise LineRejected("invalid_parameter", f"{name} is set; a batch waits for each whole answer")
    _check_tools(body.get("tools") or ())
    prompt = _prompt(items, body)
    if not prompt.strip() and not any(map(has_media, items)):
        raise LineRejected("empty_prompt", "neither the input nor the instructions hold any text")
    return CheckedRequest(prompt, len(items) + 1, body.get(LIMIT))


def prompt_of(body: Body) -> str:
    """Return the text of the user messages; without any, that of the instructions."""
    return _prompt(checked_items(body[INPUT]), body)


def question_of(body: Body) -> str:
    """Return the text of a single message, or the whole conversation with its roles."""
    items, instructions = checked_items(body[INPUT]), body.get("instructions")
    if len(items) == 1 and not instructions:
        return text_of(items[0])
    turns = [(item.get("role") or item.get("type"), text_of(item)) for item in items]
    first = [("system", instructions)] if instructions else []
    return "\n\n".join(f"{role}: {text}" for role, text in (*first, *turns))


def plain_request(fields: Body) -> dict[str, Any]:
    """Return the body of a plain line: its `input` or `prompt`, and its `system` as instructions."""
    given = fields.get(INPUT) if fields.get(INPUT) is not None else fields.get("prompt")
    if given is None:
        raise LineRejected("missing_input", "holds neither input nor prompt")
    system = fields.get("system")
    if not isinstance(system, str | None):
        raise LineRejected("invalid_input", "system must be text")
    return {INPUT: given, "instructions": system} if system else {INPUT: given}


def _prompt(items: Sequence[Item], body: Body) -> str:
    texts = [text_of(item) for item in items if item.get("role") == "user"]
    prompt = "\n\n".join(filter(None, texts)) or body.get("instructions") or ""
    return prompt.replace("\0", " ")


def _check_tools(tools: Sequence[Mapping[str, Any]]) -> None:
    for tool in tools:
        kind = tool.get("type")
        if not isinstance(kind, str) or kind not in _TOOLS:
            reason = f"the provider runs the tool {quoted_name(kind)}, and its cost has no bound"
            raise LineRejected("invalid_parameter", f"{reason}: only tools of your own are supported")
