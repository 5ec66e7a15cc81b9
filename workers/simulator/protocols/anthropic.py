"""Anthropic's messages: https://docs.anthropic.com/en/api/messages."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from workers.simulator.errors import bad_request
from workers.simulator.http_errors import ErrorKind, HttpError
from workers.simulator.prompt_cache import Prefix
from workers.simulator.protocols.checks import refuse_unknown
from workers.simulator.protocols.protocol import Call, ErrorReply, ErrorTable, Protocol, told
from workers.simulator.requests import (
    ChatRequest,
    Tool,
    build_request,
    count_tokens,
    limit_of,
    messages_of,
    refuse_stream,
)
from workers.simulator.shapes import Shape
from workers.simulator.token_counts import TokenCounts

_PARAMETERS = frozenset({
    "cache_control", "container", "context_management", "mcp_servers", "max_tokens", "messages",
    "metadata", "model", "output_config", "output_format", "service_tier", "stop_sequences", "stream",
    "system", "temperature", "thinking", "tool_choice", "tools", "top_k", "top_p",
})  # fmt: skip
_ERRORS: ErrorTable = {
    ErrorKind.RATE_LIMIT: (
        429,
        "rate_limit_error",
        "This request would exceed your organization's rate limit.",
    ),
    ErrorKind.QUOTA: (
        400,
        "invalid_request_error",
        "Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing.",
    ),
    ErrorKind.SERVER: (500, "api_error", "Internal server error"),
    ErrorKind.GATEWAY: (502, "api_error", "Bad gateway"),
    ErrorKind.UNAVAILABLE: (503, "api_error", "Service unavailable"),
    ErrorKind.OVERLOADED: (529, "overloaded_error", "Overloaded"),
    ErrorKind.BAD_KEY: (401, "authentication_error", "invalid x-api-key"),
    ErrorKind.PAYMENT: (402, "billing_error", "There is an issue with your billing."),
    ErrorKind.FORBIDDEN: (
        403,
        "permission_error",
        "Your API key does not have permission to use the resource.",
    ),
    ErrorKind.CONTEXT_LENGTH: (
        400,
        "invalid_request_error",
        "prompt is too long: 205124 tokens > 200000 maximum",
    ),
    ErrorKind.CONTENT_POLICY: (400, "invalid_request_error", "Output blocked by content filtering policy"),
    ErrorKind.UNKNOWN_MODEL: (404, "not_found_error", "model: unknown"),
}
_STOP_REASONS = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "content_filter": "refusal",
}


class Anthropic(Protocol):
    """The endpoint `/v1/messages`."""

    name: ClassVar[str] = "anthropic"
    base: ClassVar[str] = ""
    paths: ClassVar[tuple[str, ...]] = ("/v1/messages",)

    def key(self, headers: Mapping[str, str], _query: Mapping[str, str]) -> str:
        """Return the key of the header `x-api-key`."""
        return headers.get("x-api-key", "")

    def parse(self, raw: dict[str, Any], *, model: str | None, headers: Mapping[str, str]) -> ChatRequest:
        """Check a request as Anthropic does."""
        if "anthropic-version" not in headers:
            raise bad_request("anthropic-version: header is required")
        refuse_unknown(raw, _PARAMETERS, "{}: Extra inputs are not permitted")
        refuse_stream(raw)
        _check(raw)
        form = raw.get("output_format") or (raw.get("output_config") or {}).get("format") or {}
        prefixes = tuple(_marked_prefixes(raw))
        return build_request(
            raw,
            list(_messages(raw)),
            max_tokens=limit_of(raw, "max_tokens"),
            tools=[
                Tool(str(tool["name"]), tool.get("input_schema") or {})
                for tool in raw.get("tools") or ()
                if "input_schema" in tool
            ],
            tool_choice=_tool_choice(raw.get("tool_choice") or {}),
            schema=form.get("schema") if form.get("type") == "json_schema" else None,
            service_tier=raw.get("service_tier"),
            reasons=(raw.get("thinking") or {}).get("type") in ("enabled", "adaptive"),
            prefixes=prefixes,
            marked=bool(prefixes),
        )

    def lay_out(self, call: Call) -> dict[str, Any]:
        """Return a message."""
        usage, plan = call.usage, call.plan
        refused = plan.shape is Shape.REFUSAL
        body = {
            "id": f"msg_{call.plan.number}",
            "type": "message",
            "role": "assistant",
            "model": call.request.model,
            "content": [] if call.is_empty else list(_content(call)),
            "stop_reason": "refusal" if refused else _STOP_REASONS[plan.finish_reason],
            "stop_sequence": None,
        }
        return body if usage is None else {**body, "usage": _usage(usage)}

    def error(self, error: HttpError) -> ErrorReply:
        """Return an error as Anthropic structures it."""
        status, kind, message = told(_ERRORS, error)
        body = {"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_0"}
        headers = {"request-id": "req_0", **error.headers()}
        return ErrorReply(status, body, headers)


def _check(raw: Mapping[str, Any]) -> None:
    if "max_tokens" not in raw:
        raise bad_request("max_tokens: Field required")
    messages = messages_of(raw)
    roles = [message.get("role") for message in messages]
    if set(roles) - {"user", "assistant"}:
        raise bad_request(
            "messages: Unexpected role. The Messages API accepts a top-level `system` parameter"
        )
    if roles[0] != "user":
        raise bad_request('messages: first message must use the "user" role')
    temperature = raw.get("temperature")
    if temperature is not None and not 0 <= temperature <= 1:
        raise bad_request("temperature: range: 0..1")
    _check_tool_results(messages)


def _check_tool_results(messages: list[dict[str, Any]]) -> None:
    asked: set[Any] = set()
    for message in messages:
        for block in _blocks(message.get("content")):
            if block.get("type") == "tool_use":
                asked.add(block.get("id"))
            if block.get("type") == "tool_result" and block.get("tool_use_id") not in asked:
                raise bad_request("messages: unexpected `tool_use_id` found in `tool_result` blocks")
            if block.get("type") == "text" and not block.get("text"):
                raise bad_request("messages: text content blocks must be non-empty")


def _blocks(content: Any) -> list[dict[str, Any]]:
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    return [block for block in content or () if isinstance(block, dict)]


def _messages(raw: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the messages in OpenAI's format; a message of one text has that text as its content."""
    system = _blocks(raw.get("system"))
    if system:
        yield {"role": "system", "content": _plain(system)}
    for message in raw["messages"]:
        yield {"role": message["role"], "content": _plain(_blocks(message.get("content")))}


def _plain(blocks: list[dict[str, Any]]) -> Any:
    shown = [{name: value for name, value in block.items() if name != "cache_control"} for block in blocks]
    return shown[0]["text"] if len(shown) == 1 and shown[0].get("type") == "text" else shown


def _tool_choice(choice: Mapping[str, Any]) -> str:
    kind = choice.get("type", "auto")
    return str(choice.get("name")) if kind == "tool" else "required" if kind == "any" else str(kind)


def _marked_prefixes(raw: Mapping[str, Any]) -> Iterator[Prefix]:
    """Yield the prompt up to each block with `cache_control`; the order is tools, system, messages."""
    content = [block for message in raw["messages"] for block in _blocks(message.get("content"))]
    seen, tokens = hashlib.sha256(), 0
    for block in [*(raw.get("tools") or ()), *_blocks(raw.get("system")), *content]:
        mark = block.get("cache_control")
        text = json.dumps({name: value for name, value in block.items() if name != "cache_control"})
        seen.update(text.encode())
        tokens += count_tokens(str(block["text"]) if "text" in block else text)
        if mark:
            yield Prefix(seen.hexdigest(), tokens, mark.get("ttl", "5m"))


def _content(call: Call) -> Iterator[dict[str, Any]]:
    plan = call.plan
    if plan.reasoning:
        yield {"type": "thinking", "thinking": plan.reasoning, "signature": "c2lnbmF0dXJl"}
    if plan.tool_calls:
        for one in plan.tool_calls:
            yield {"type": "tool_use", "id": f"toolu_{one.id}", "name": one.name, "input": one.arguments}
    elif plan.shape is not Shape.REASONING_ONLY and call.text:
        yield {"type": "text", "text": call.text, **_citations(call)}


def _citations(call: Call) -> dict[str, Any]:
    if call.plan.shape is not Shape.CITATIONS:
        return {}
    place = {"type": "char_location", "cited_text": "The harbour is open.", "document_index": 0}
    return {
        "citations": [{**place, "document_title": "The harbour", "start_char_index": 0, "end_char_index": 20}]
    }


def _usage(counts: TokenCounts) -> dict[str, Any]:
    return {
        "input_tokens": counts.input,
        "cache_creation_input_tokens": counts.cache_write + counts.cache_write_1h,
        "cache_read_input_tokens": counts.cached,
        "cache_creation": {
            "ephemeral_5m_input_tokens": counts.cache_write,
            "ephemeral_1h_input_tokens": counts.cache_write_1h,
        },
        "output_tokens": counts.completion,
        "service_tier": "standard",
    }
