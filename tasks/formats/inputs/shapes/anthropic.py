"""Lines of Anthropic's Message Batches (API reference, "Create a Message Batch"), as chat completions."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from tasks.formats.errors import LineRejected
from tasks.formats.inputs.options import Plan
from tasks.formats.inputs.shapes.conversation import Fields, check_keys, refuse

#: the parameters that OpenAI's API has under the same name, or that a model may take beyond it
_SAME = ("max_tokens", "temperature", "top_p", "top_k", "stream")
_TRANSLATED = (
    "messages",
    "model",
    "system",
    "stop_sequences",
    "tools",
    "tool_choice",
    "metadata",
    "thinking",
)
_CHOICES = {"auto": "auto", "any": "required", "none": "none"}
#: the least budget of thinking, in tokens, of each `reasoning_effort`: those that LiteLLM makes of them
_EFFORTS = ((4096, "high"), (2048, "medium"), (0, "low"))
_TOOL_KEYS = ("type", "name", "description", "input_schema", "strict", "cache_control")
#: the keys of each block, beside its type and `cache_control`
_BLOCK_KEYS = {
    "text": ("text",),
    "image": ("source",),
    "tool_use": ("id", "name", "input"),
    "tool_result": ("tool_use_id", "content", "is_error"),
}


def anthropic(record: Fields, plan: Plan) -> Fields:
    """Read `params`; content blocks, tools and stop sequences are translated.

    `cache_control`, the thinking of earlier turns and `is_error` of a tool's result have no counterpart: they
    are left out.
    """
    params = record.get("params")
    if not isinstance(params, dict):
        refuse("params is not an object")
    check_keys(params, (*_SAME, *_TRANSLATED), "params")
    fields = {name: params[name] for name in _SAME if params.get(name) is not None}
    fields |= {"custom_id": record.get("custom_id"), "messages": _messages(params, plan)}
    fields |= {**_model(params.get("model"), plan), **_thinking(params.get("thinking"), plan)}
    return {**fields, **_tools(params), **_others(params)}


def _model(name: object, plan: Plan) -> Fields:
    if name is None or name in plan.models:
        return {"model": name}
    plan.notice("lines name models that the settings do not have: these lines are routed")
    return {}


def _thinking(given: object, plan: Plan) -> Fields:
    """Return `thinking` where a model takes it, else the `reasoning_effort` with no larger a budget."""
    if given is None or given == {"type": "disabled"}:
        return {}
    if "thinking" in plan.parameters:
        return {"thinking": given}
    budget = given.get("budget_tokens") if isinstance(given, dict) else None
    if given != {"type": "enabled", "budget_tokens": budget} or type(budget) is not int or budget < 1:
        reason = "thinking is not translated: name it in the extra_params of a model that takes it"
        raise LineRejected("invalid_parameter", reason)
    plan.notice("thinking is sent as reasoning_effort: high from 4096 tokens, medium from 2048, else low")
    return {"reasoning_effort": next(effort for least, effort in _EFFORTS if budget >= least)}


def _others(params: Fields) -> Fields:
    fields: Fields = {}
    if params.get("stop_sequences"):
        fields["stop"] = params["stop_sequences"]
    metadata = params.get("metadata")
    if metadata:
        check_keys(_checked_object(metadata, "metadata"), ("user_id",), "metadata")
        fields["user"] = metadata["user_id"]
    return fields


def _checked_object(value: Any, name: str) -> Fields:
    if not isinstance(value, dict):
        raise LineRejected("invalid_parameter", f"{name} is not an object")
    return value


def _tools(params: Fields) -> Fields:
    fields: Fields = {}
    if params.get("tools"):
        fields["tools"] = [_tool(tool) for tool in params["tools"]]
    choice = params.get("tool_choice")
    if choice is not None:
        fields["tool_choice"] = _choice(_checked_object(choice, "tool_choice"))
        if choice.get("disable_parallel_tool_use"):
            fields["parallel_tool_calls"] = False
    return fields


def _tool(tool: Any) -> Fields:
    if not isinstance(tool, dict) or tool.get("type", "custom") != "custom":
        raise LineRejected("invalid_parameter", "a tool runs at Anthropic: other models do not have it")
    check_keys(tool, _TOOL_KEYS, "a tool")
    function = {"name": tool.get("name"), "parameters": tool.get("input_schema")}
    extra = {key: tool[key] for key in ("description", "strict") if key in tool}
    return {"type": "function", "function": {**function, **extra}}


def _choice(choice: Fields) -> object:
    check_keys(choice, ("type", "name", "disable_parallel_tool_use"), "tool_choice")
    kind = choice.get("type")
    if kind == "tool":
        return {"type": "function", "function": {"name": choice.get("name")}}
    if kind not in _CHOICES:
        raise LineRejected("invalid_parameter", "tool_choice is not one that Anthropic knows")
    return _CHOICES[kind]


def _messages(params: Fields, plan: Plan) -> list[Fields]:
    given = params.get("messages")
    if not isinstance(given, list):
        refuse("params.messages is not a list")
    system = params.get("system")
    first = [{"role": "system", "content": _text(system)}] if system else []
    return [*first, *(message for turn in given for message in _turn(turn, plan))]


def _turn(turn: Any, plan: Plan) -> Iterator[Fields]:
    if not isinstance(turn, dict):
        refuse("a message is not an object")
    check_keys(turn, ("role", "content"), "a message")
    content = turn.get("content")
    if not isinstance(content, list):
        yield {"role": turn.get("role"), "content": content}
        return
    blocks = [_checked_block(block, plan) for block in content]
    yield from (_tool_result(block) for block in blocks if block.get("type") == "tool_result")
    parts = [part for block in blocks if (part := _part(block)) is not None]
    calls = [_call(block) for block in blocks if block.get("type") == "tool_use"]
    if calls:
        text = _text(parts)
        yield {"role": "assistant", "content": text or None, "tool_calls": calls}
    elif parts:
        yield {"role": turn.get("role"), "content": parts}


def _checked_block(block: Any, plan: Plan) -> Fields:
    """Return the block; raises LineRejected for one that says more than is translated."""
    if not isinstance(block, dict):
        refuse("a block is not an object")
    keys = _BLOCK_KEYS.get(str(block.get("type")))
    if keys is not None:
        said = {key: value for key, value in block.items() if value is not None}
        check_keys(said, ("type", "cache_control", *keys), f"a {block['type']} block")
    if block.get("is_error"):
        plan.notice("is_error of a tool's result is not sent: the text of the result has to say it")
    return block


def _part(block: Fields) -> Fields | None:
    kind = block.get("type")
    if kind == "text":
        return {"type": "text", "text": block.get("text")}
    if kind == "image":
        return {"type": "image_url", "image_url": {"url": _image_url(block.get("source"))}}
    if kind in ("tool_use", "tool_result", "thinking", "redacted_thinking"):
        return None
    return refuse("a content block is neither text nor image, tool_use nor tool_result")


def _image_url(source: Any) -> object:
    if not isinstance(source, dict) or source.get("type") not in ("base64", "url"):
        refuse("an image has no base64 or url source")
    if source["type"] == "url":
        return source.get("url")
    return f"data:{source.get('media_type')};base64,{source.get('data')}"


def _call(block: Fields) -> Fields:
    arguments = json.dumps(block.get("input") or {}, ensure_ascii=False)
    return {
        "id": block.get("id"),
        "type": "function",
        "function": {"name": block.get("name"), "arguments": arguments},
    }


def _tool_result(block: Fields) -> Fields:
    return {
        "role": "tool",
        "tool_call_id": block.get("tool_use_id"),
        "content": _text(block.get("content") or ""),
    }


def _text(content: Any) -> str:
    """Return a text, or the texts of a list of text blocks; raises LineRejected for anything else."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        refuse("a content is neither text nor a list of blocks")
    for block in content:
        if not isinstance(block, dict) or not isinstance(block.get("text"), str):
            refuse("a system message, a tool result or a turn with tool calls holds more than text")
        said = {key: value for key, value in block.items() if value is not None}
        check_keys(said, ("type", "text", "cache_control"), "a text block")
    return "\n".join(block["text"] for block in content)
