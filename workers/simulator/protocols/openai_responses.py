"""OpenAI's responses: https://platform.openai.com/docs/api-reference/responses."""

import json
import time
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from workers.simulator.errors import bad_request
from workers.simulator.protocols.oddities import SOURCE
from workers.simulator.protocols.openai_chat import OpenAIChat
from workers.simulator.protocols.protocol import Call
from workers.simulator.requests import ChatRequest, Tool, build_request, limit_of, prefixes_of, refuse_stream
from workers.simulator.shapes import Shape
from workers.simulator.token_counts import TokenCounts

_PART_TYPES = {"input_text": "text", "output_text": "text", "input_image": "image", "input_file": "file"}


class OpenAIResponses(OpenAIChat):
    """The endpoint `/responses`."""

    paths: ClassVar[tuple[str, ...]] = ("/responses",)

    def parse(self, raw: dict[str, Any], *, model: str | None, headers: Mapping[str, str]) -> ChatRequest:
        """Check a request of a response."""
        refuse_stream(raw)
        if raw.get("background"):
            raise bad_request("the simulator has no background mode")
        messages = list(_messages(raw))
        if not messages:
            raise bad_request("Missing required parameter: 'input'.")
        form = (raw.get("text") or {}).get("format") or {}
        choice = raw.get("tool_choice", "auto")
        return build_request(
            raw,
            messages,
            max_tokens=limit_of(raw, "max_output_tokens"),
            tools=list(_tools(raw)),
            tool_choice=choice if isinstance(choice, str) else str(choice.get("name", "required")),
            schema={"json_schema": form.get("schema"), "json_object": {}}.get(str(form.get("type"))),
            prefixes=prefixes_of(messages),
            service_tier=raw.get("service_tier"),
            reasons=bool(raw.get("reasoning")),
        )

    def lay_out(self, call: Call) -> dict[str, Any]:
        """Return a response object."""
        usage, plan = call.usage, call.plan
        cut = plan.finish_reason in ("length", "content_filter")
        reason = "max_output_tokens" if plan.finish_reason == "length" else "content_filter"
        return {
            "id": f"resp_{call.plan.number}",
            "object": "response",
            "created_at": int(time.time()),
            "status": "incomplete" if cut else "completed",
            "error": None,
            "incomplete_details": {"reason": reason} if cut else None,
            "instructions": None,
            "metadata": {},
            "model": call.request.model,
            "output": [] if call.is_empty else list(_output(call)),
            "parallel_tool_calls": True,
            "service_tier": call.request.service_tier or "default",
            "temperature": 1.0,
            "tool_choice": call.request.tool_choice,
            "tools": [],
            "top_p": 1.0,
            "usage": None if usage is None else _usage(usage),
        }


class CompatibleResponses(OpenAIResponses):
    """The same endpoint of a server without a brand, which takes every key."""

    name: ClassVar[str] = ""
    needs_key: ClassVar[bool] = False


def _messages(raw: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    if raw.get("instructions"):
        yield {"role": "system", "content": raw["instructions"]}
    given = raw.get("input")
    for item in [{"role": "user", "content": given}] if isinstance(given, str) else given or ():
        if isinstance(item, dict):
            yield _message(item)


def _message(item: dict[str, Any]) -> dict[str, Any]:
    kind = item.get("type", "message")
    if kind == "function_call":
        return {"role": "assistant", "content": None, "tool_calls": [item]}
    if kind == "function_call_output":
        return {"role": "tool", "tool_call_id": item.get("call_id"), "content": str(item.get("output"))}
    content = item.get("content")
    if isinstance(content, list):
        content = [{**part, "type": _PART_TYPES.get(part.get("type"), "text")} for part in content]
    return {"role": item.get("role", "user"), "content": content}


def _tools(raw: Mapping[str, Any]) -> Iterator[Tool]:
    for tool in raw.get("tools") or ():
        if tool.get("type") == "function":
            yield Tool(str(tool.get("name")), tool.get("parameters") or {})


def _output(call: Call) -> Iterator[dict[str, Any]]:
    plan = call.plan
    if plan.reasoning:
        summary = [{"type": "summary_text", "text": plan.reasoning}]
        yield {"type": "reasoning", "id": f"rs_{call.plan.number}", "summary": summary}
    for one in plan.tool_calls:
        yield {
            "type": "function_call", "id": f"fc_{one.id}", "call_id": f"call_{one.id}", "name": one.name,
            "arguments": json.dumps(one.arguments), "status": "completed",
        }  # fmt: skip
    if not plan.tool_calls and plan.shape is not Shape.REASONING_ONLY:
        part = _part(call)
        yield {
            "type": "message", "id": f"msg_{call.plan.number}", "status": "completed", "role": "assistant",
            "content": [part],
        }  # fmt: skip


def _part(call: Call) -> dict[str, Any]:
    if call.plan.shape is Shape.REFUSAL:
        return {"type": "refusal", "refusal": call.text}
    cited = {"type": "url_citation", **SOURCE, "start_index": 0, "end_index": 4}
    annotations = [cited] if call.plan.shape is Shape.CITATIONS else []
    return {"type": "output_text", "text": call.text or "", "annotations": annotations, "logprobs": []}


def _usage(counts: TokenCounts) -> dict[str, Any]:
    return {
        "input_tokens": counts.prompt,
        "input_tokens_details": {"cached_tokens": counts.cached, "cache_write_tokens": counts.cache_write},
        "output_tokens": counts.completion,
        "output_tokens_details": {"reasoning_tokens": counts.reasoning},
        "total_tokens": counts.total,
    }
