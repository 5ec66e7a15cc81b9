"""Amazon Bedrock's converse: https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html.

Signatures must be there and are not checked.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from workers.simulator.errors import bad_request
from workers.simulator.http_errors import ErrorKind, HttpError
from workers.simulator.prompt_cache import Prefix
from workers.simulator.protocols.checks import refuse_unknown
from workers.simulator.protocols.protocol import Call, ErrorReply, ErrorTable, Protocol, told
from workers.simulator.requests import ChatRequest, Tool, build_request, count_tokens, limit_of
from workers.simulator.shapes import Shape
from workers.simulator.token_counts import TokenCounts

_FIELDS = frozenset({
    "additionalModelRequestFields", "additionalModelResponseFieldPaths", "guardrailConfig",
    "inferenceConfig", "messages", "outputConfig", "performanceConfig", "promptVariables",
    "requestMetadata", "serviceTier", "system", "toolConfig",
})  # fmt: skip
#: the types are exceptions
_ERRORS: ErrorTable = {
    ErrorKind.RATE_LIMIT: (429, "ThrottlingException", "Too many tokens, please wait before trying again."),
    ErrorKind.QUOTA: (
        400,
        "ServiceQuotaExceededException",
        "Your request exceeds the service quota for your account.",
    ),
    ErrorKind.SERVER: (500, "InternalServerException", "The system encountered an unexpected error."),
    ErrorKind.GATEWAY: (502, "InternalServerException", "Bad gateway"),
    ErrorKind.UNAVAILABLE: (503, "ServiceUnavailableException", "Bedrock is unable to process your request."),
    ErrorKind.OVERLOADED: (429, "ModelNotReadyException", "The model is not ready for inference."),
    ErrorKind.BAD_KEY: (
        403,
        "UnrecognizedClientException",
        "The security token included in the request is invalid.",
    ),
    ErrorKind.PAYMENT: (
        403,
        "AccessDeniedException",
        "INVALID_PAYMENT_INSTRUMENT: a valid payment is needed.",
    ),
    ErrorKind.FORBIDDEN: (
        403,
        "AccessDeniedException",
        "You don't have access to the model with the specified model ID.",
    ),
    ErrorKind.CONTEXT_LENGTH: (400, "ValidationException", "Input is too long for requested model."),
    ErrorKind.CONTENT_POLICY: (
        400,
        "ValidationException",
        "Output blocked by content filtering policy",
    ),
    ErrorKind.UNKNOWN_MODEL: (400, "ValidationException", "The provided model identifier is invalid."),
}
_STOP_REASONS = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "content_filter": "content_filtered",
}


class Bedrock(Protocol):
    """The operation Converse."""

    name: ClassVar[str] = "bedrock"
    base: ClassVar[str] = ""
    paths: ClassVar[tuple[str, ...]] = ("/model/{model}/converse",)

    def key(self, headers: Mapping[str, str], _query: Mapping[str, str]) -> str:
        """Return the id of the key that signed, or a bearer token."""
        given = headers.get("Authorization", "")
        if given.startswith("AWS4-HMAC-SHA256 Credential=") and "Signature=" in given:
            return given.partition("Credential=")[2].partition("/")[0]
        return given.removeprefix("Bearer ")

    def parse(self, raw: dict[str, Any], *, model: str | None, headers: Mapping[str, str]) -> ChatRequest:
        """Check a request as Bedrock does."""
        refuse_unknown(raw, _FIELDS, "#: extraneous key [{}] is not permitted")
        messages = raw.get("messages")
        if not messages or messages[0].get("role") != "user":
            raise bad_request("A conversation must start with a user message. Try again.")
        tools = raw.get("toolConfig") or {}
        blocks = [block for message in messages for block in message.get("content") or ()]
        if not tools and any({"toolUse", "toolResult"} & block.keys() for block in blocks):
            raise bad_request(
                "The toolConfig field must be defined when using toolUse and toolResult blocks."
            )
        prefixes = tuple(_marked_prefixes(raw))
        return build_request(
            {"model": model},
            list(_messages(raw)),
            max_tokens=limit_of(raw.get("inferenceConfig") or {}, "maxTokens"),
            tools=list(_tools(tools)),
            tool_choice=_tool_choice(tools.get("toolChoice") or {}),
            schema=_schema(raw),
            reasons="thinking" in (raw.get("additionalModelRequestFields") or {}),
            prefixes=prefixes,
            marked=bool(prefixes),
        )

    def lay_out(self, call: Call) -> dict[str, Any]:
        """Return the output message."""
        usage, plan = call.usage, call.plan
        content = [] if call.is_empty else list(_content(call))
        refused = plan.shape is Shape.REFUSAL
        body = {
            "metrics": {"latencyMs": round(plan.latency_ms)},
            "output": {"message": {"role": "assistant", "content": content}},
            "stopReason": "guardrail_intervened" if refused else _STOP_REASONS[plan.finish_reason],
        }
        return body if usage is None else {**body, "usage": _usage(usage)}

    def error(self, error: HttpError) -> ErrorReply:
        """Return an error: its class is in a header."""
        status, name, message = told(_ERRORS, error, other="ValidationException")
        return ErrorReply(status, {"message": message}, {"x-amzn-ErrorType": name, **error.headers()})


def _messages(raw: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the messages in OpenAI's format."""
    if raw.get("system"):
        yield {"role": "system", "content": _plain(raw["system"])}
    for message in raw["messages"]:
        yield {"role": message.get("role"), "content": _plain(message.get("content") or ())}


def _plain(blocks: Any) -> Any:
    parts = [_part(block) for block in blocks if "cachePoint" not in block]
    return parts[0]["text"] if len(parts) == 1 and parts[0]["type"] == "text" else parts


def _part(block: Mapping[str, Any]) -> dict[str, Any]:
    if "text" in block:
        if not str(block["text"]).strip():
            raise bad_request(
                "The text field in the ContentBlock object is blank. Add text to the text field."
            )
        return {"type": "text", "text": block["text"]}
    return {"type": "image"} if "image" in block or "document" in block else {"type": "tool", **block}


def _tools(config: Mapping[str, Any]) -> Iterator[Tool]:
    for tool in config.get("tools") or ():
        spec = tool.get("toolSpec")
        if spec:
            yield Tool(str(spec.get("name")), (spec.get("inputSchema") or {}).get("json") or {})


def _tool_choice(choice: Mapping[str, Any]) -> str:
    if "tool" in choice:
        return str(choice["tool"].get("name"))
    return "required" if "any" in choice else "auto"


def _schema(raw: Mapping[str, Any]) -> Mapping[str, Any] | None:
    form = (raw.get("outputConfig") or {}).get("textFormat") or {}
    text = ((form.get("structure") or {}).get("jsonSchema") or {}).get("schema")
    return json.loads(text) if isinstance(text, str) else None


def _marked_prefixes(raw: Mapping[str, Any]) -> Iterator[Prefix]:
    """Yield the prompt up to each `cachePoint`; the order is tools, system, messages."""
    tools = (raw.get("toolConfig") or {}).get("tools") or []
    content = [block for message in raw["messages"] for block in message.get("content") or ()]
    seen, tokens = hashlib.sha256(), 0
    for block in [*tools, *(raw.get("system") or ()), *content]:
        if "cachePoint" in block:
            yield Prefix(seen.hexdigest(), tokens, block["cachePoint"].get("ttl", "5m"))
            continue
        text = json.dumps(block)
        seen.update(text.encode())
        tokens += count_tokens(str(block["text"]) if "text" in block else text)


def _content(call: Call) -> Iterator[dict[str, Any]]:
    plan = call.plan
    if plan.reasoning:
        thought = {"text": plan.reasoning, "signature": "c2lnbmF0dXJl"}
        yield {"reasoningContent": {"reasoningText": thought}}
    for one in plan.tool_calls:
        yield {"toolUse": {"toolUseId": f"tooluse_{one.id}", "name": one.name, "input": one.arguments}}
    if not plan.tool_calls and call.text:
        yield {"text": call.text}


def _usage(counts: TokenCounts) -> dict[str, Any]:
    return {
        "inputTokens": counts.input,
        "outputTokens": counts.completion,
        "totalTokens": counts.total,
        "cacheReadInputTokens": counts.cached,
        "cacheWriteInputTokens": counts.cache_write + counts.cache_write_1h,
    }
