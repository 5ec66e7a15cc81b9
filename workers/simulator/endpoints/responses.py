"""`POST /v1/responses` (OpenAI API reference, "Create a model response"), without tools and without state."""

import time
from typing import Any

from workers.simulator.endpoints.endpoint import SimulatedEndpoint, simple_request, token_limit
from workers.simulator.errors import bad_request
from workers.simulator.plans import Plan
from workers.simulator.requests import ChatRequest, count_tokens

_TOKENS_PER_ITEM = 4
#: OpenAI accepts no lower limit
_LEAST_LIMIT = 16


def _read(raw: dict[str, Any]) -> ChatRequest:
    items = _items(raw.get("input"))
    texts = [_text(item) for item in items]
    users = [text for item, text in zip(items, texts, strict=True) if item.get("role") == "user"]
    instructions = raw.get("instructions") or ""
    tokens = count_tokens(instructions) + sum(_TOKENS_PER_ITEM + count_tokens(text) for text in texts)
    limit = token_limit(raw, "max_output_tokens", least=_LEAST_LIMIT)
    content = [instructions, raw["input"]]
    return simple_request(raw, users[-1] if users else "", content=content, tokens=tokens, limit=limit)


def _items(given: object) -> list[dict[str, Any]]:
    if isinstance(given, str) and given:
        return [{"role": "user", "content": given}]
    if not isinstance(given, list) or not given or not all(isinstance(item, dict) for item in given):
        raise bad_request("'input' must be text or a list of at least one item")
    return given


def _text(item: dict[str, Any]) -> str:
    content = item.get("content", item.get("output", ""))
    if isinstance(content, list):
        return "\n".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
    return content if isinstance(content, str) else ""


def _write(plan: Plan, request: ChatRequest, raw: dict[str, Any]) -> dict[str, Any]:
    cut = plan.finish_reason == "length"
    status = "incomplete" if cut else "completed"
    part = {"type": "output_text", "text": plan.text, "annotations": [], "logprobs": []}
    message = {
        "type": "message",
        "id": plan.id.replace("chatcmpl-", "msg_"),
        "status": status,
        "role": "assistant",
        "content": [part],
    }
    return {
        "id": plan.id.replace("chatcmpl-", "resp_"),
        "object": "response",
        "created_at": int(time.time()),
        "status": status,
        "error": None,
        "incomplete_details": {"reason": "max_output_tokens"} if cut else None,
        "instructions": raw.get("instructions"),
        "max_output_tokens": request.max_tokens,
        "metadata": raw.get("metadata") or {},
        "model": request.model,
        "output": [message],
        "parallel_tool_calls": raw.get("parallel_tool_calls", True),
        "previous_response_id": None,
        "reasoning": {"effort": None, "summary": None},
        "store": raw.get("store", True),
        "temperature": raw.get("temperature", 1.0),
        "text": raw.get("text") or {"format": {"type": "text"}},
        "tool_choice": raw.get("tool_choice", "auto"),
        "tools": raw.get("tools") or [],
        "top_p": raw.get("top_p", 1.0),
        "truncation": raw.get("truncation", "disabled"),
        "usage": _usage(request.prompt_tokens, plan.completion_tokens),
        "user": raw.get("user"),
    }


def _usage(input_tokens: int, output_tokens: int) -> dict[str, Any]:
    return {
        "input_tokens": input_tokens,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": output_tokens,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": input_tokens + output_tokens,
    }


RESPONSES = SimulatedEndpoint(path="/v1/responses", read=_read, write=_write, answers="output")
