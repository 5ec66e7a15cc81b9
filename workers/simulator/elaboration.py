"""What an answer holds besides plain text: reasoning, tool calls, JSON, a refusal."""

import json
from collections.abc import Callable
from dataclasses import replace
from random import Random

from workers.simulator.answers import truncate
from workers.simulator.config import ModelProfile
from workers.simulator.directives import Directive
from workers.simulator.plan import Plan, ToolCall
from workers.simulator.requests import ChatRequest, Tool, count_tokens
from workers.simulator.schema_values import value_for
from workers.simulator.shapes import Shape

REFUSAL = "I cannot help with that."
_EFFORT_TOKENS = 64
_THOUGHT = "Let me think about this step by step. "
_TOOL_SHAPES = frozenset({Shape.TOOL_CALL, Shape.TOOL_CALL_WITH_EMPTY_TEXT, Shape.FUNCTION_CALL})
_BROKEN_JSON: dict[Shape, Callable[[str], str]] = {
    Shape.FENCED_JSON: lambda text: f"```json\n{text}\n```",
    Shape.JSON_AND_TEXT: lambda text: f"Here it is: {text} I hope that this helps.",
    Shape.MISFIT_JSON: lambda _: '{"unexpected": [null]}',
}


def elaborate(
    plan: Plan, model: ModelProfile, request: ChatRequest, directive: Directive, random: Random
) -> Plan:
    """Return the plan with what the request, the directive and the model add to its text."""
    plan = _with_reasoning(plan, directive.reasoning or model.reasoning_tokens, request)
    tool = _tool(plan, request)
    if tool is not None:
        return _with_tool_call(plan, tool, random)
    if request.schema is not None:
        plan = _with_json(plan, request, random)
    match plan.shape:
        case Shape.REFUSAL:
            return _saying(plan, REFUSAL, "stop")
        case Shape.REASONING_ONLY:
            return _saying(_with_reasoning(plan, plan.reasoning_tokens or 20, request), "", "length")
        case Shape.FILTERED:
            return _saying(plan, "", "content_filter")
        case _:
            return plan


def _with_reasoning(plan: Plan, tokens: int, request: ChatRequest) -> Plan:
    tokens = tokens or (_EFFORT_TOKENS if request.reasons else 0)
    text = truncate(_THOUGHT * (1 + tokens // 8), tokens)
    return replace(plan, reasoning=text, reasoning_tokens=tokens)


def _tool(plan: Plan, request: ChatRequest) -> Tool | None:
    if plan.shape in _TOOL_SHAPES and request.tools:
        return request.tools[0]
    return request.chosen_tool()


def _with_tool_call(plan: Plan, tool: Tool, random: Random) -> Plan:
    arguments = value_for(tool.schema, random) if tool.schema else {}
    call = ToolCall(plan.number, tool.name, arguments if isinstance(arguments, dict) else {})
    tokens = count_tokens(tool.name + json.dumps(arguments))
    return replace(plan, text="", tool_calls=(call,), completion_tokens=tokens, finish_reason="tool_calls")


def _with_json(plan: Plan, request: ChatRequest, random: Random) -> Plan:
    value = value_for(request.schema, random) if request.schema else {"answer": plan.text}
    text = json.dumps(value)
    change = _BROKEN_JSON.get(plan.shape) if plan.shape else None
    text = change(text) if change else text
    limit = request.max_tokens
    if limit is not None and count_tokens(text) > limit:
        return _saying(plan, truncate(text, limit), "length")
    return _saying(plan, text, "stop")


def _saying(plan: Plan, text: str, finish_reason: str) -> Plan:
    return replace(plan, text=text, completion_tokens=count_tokens(text), finish_reason=finish_reason)
