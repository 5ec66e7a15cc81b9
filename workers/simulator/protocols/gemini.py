"""Gemini's API: https://ai.google.dev/api/generate-content."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from workers.simulator.errors import bad_request
from workers.simulator.http_errors import ErrorKind, HttpError
from workers.simulator.protocols.checks import refuse_unknown
from workers.simulator.protocols.oddities import PIXEL, SOURCE
from workers.simulator.protocols.protocol import Call, ErrorReply, ErrorTable, Protocol, told
from workers.simulator.requests import ChatRequest, Tool, build_request, limit_of
from workers.simulator.shapes import Shape
from workers.simulator.token_counts import TokenCounts

_FIELDS = frozenset({
    "cachedContent", "contents", "generationConfig", "labels", "model", "safetySettings", "serviceTier",
    "store", "systemInstruction", "toolConfig", "tools",
})  # fmt: skip
#: the types are gRPC's statuses; Gemini calls a wrong key an invalid argument
_ERRORS: ErrorTable = {
    ErrorKind.RATE_LIMIT: (429, "RESOURCE_EXHAUSTED", "Resource has been exhausted (e.g. check quota)."),
    ErrorKind.QUOTA: (
        429,
        "RESOURCE_EXHAUSTED",
        "You exceeded your current quota, please check your plan and billing details.",
    ),
    ErrorKind.SERVER: (500, "INTERNAL", "An internal error has occurred. Please retry or report."),
    ErrorKind.GATEWAY: (502, "UNAVAILABLE", "Bad gateway"),
    ErrorKind.UNAVAILABLE: (503, "UNAVAILABLE", "The model is overloaded. Please try again later."),
    ErrorKind.OVERLOADED: (503, "UNAVAILABLE", "The model is overloaded. Please try again later."),
    ErrorKind.BAD_KEY: (400, "INVALID_ARGUMENT", "API key not valid. Please pass a valid API key."),
    ErrorKind.PAYMENT: (403, "PERMISSION_DENIED", "This API method requires billing to be enabled."),
    ErrorKind.FORBIDDEN: (403, "PERMISSION_DENIED", "The caller does not have permission"),
    ErrorKind.CONTEXT_LENGTH: (
        400,
        "INVALID_ARGUMENT",
        "The input token count (1048577) exceeds the maximum number of tokens allowed (1048576).",
    ),
    ErrorKind.UNKNOWN_MODEL: (
        404,
        "NOT_FOUND",
        "models/unknown is not found for API version v1beta, or is not supported for generateContent.",
    ),
}
_DETAILS = {ErrorKind.BAD_KEY: "API_KEY_INVALID", ErrorKind.PAYMENT: "BILLING_DISABLED"}
_FINISH_REASONS = {"stop": "STOP", "length": "MAX_TOKENS", "tool_calls": "STOP", "content_filter": "SAFETY"}
_ROLES = {"model": "assistant"}


class Gemini(Protocol):
    """The method `generateContent`; its JSON is protobuf's, with names in either spelling."""

    name: ClassVar[str] = "gemini"
    base: ClassVar[str] = "/v1beta"
    paths: ClassVar[tuple[str, ...]] = ("/models/{model}:generateContent",)

    def key(self, headers: Mapping[str, str], query: Mapping[str, str]) -> str:
        """Return the key of the header `x-goog-api-key` or of the query."""
        return headers.get("x-goog-api-key") or query.get("key", "")

    def parse(self, raw: dict[str, Any], *, model: str | None, headers: Mapping[str, str]) -> ChatRequest:
        """Check a request as Gemini does."""
        raw = _camel(raw)
        unknown = 'Invalid JSON payload received. Unknown name "{}": Cannot find field.'
        refuse_unknown(raw, _FIELDS, unknown)
        if not raw.get("contents"):
            raise bad_request("* GenerateContentRequest.contents: contents is not specified")
        settings = raw.get("generationConfig") or {}
        return build_request(
            {"model": model},
            list(_messages(raw)),
            max_tokens=limit_of(settings, "maxOutputTokens"),
            tools=list(_tools(raw)),
            tool_choice=_tool_choice(raw),
            schema=_schema(settings),
            service_tier=raw.get("serviceTier"),
            reasons=_budget(settings) not in (None, 0),
        )

    def lay_out(self, call: Call) -> dict[str, Any]:
        """Return the candidates; a blocked prompt has none."""
        usage, plan = call.usage, call.plan
        if plan.shape is Shape.FILTERED:
            shown: dict[str, Any] = {"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}}
        else:
            shown = {} if call.is_empty else {"candidates": [_candidate(call)]}
        if usage is not None:
            shown["usageMetadata"] = _usage(usage)
        return {**shown, "modelVersion": call.request.model, "responseId": call.plan.number}

    def error(self, error: HttpError) -> ErrorReply:
        """Return an error as Google's services structure it."""
        status, name, message = told(_ERRORS, error, other="INVALID_ARGUMENT")
        body: dict[str, Any] = {"code": status, "message": message, "status": name}
        if error.kind in _DETAILS:
            kind = "type.googleapis.com/google.rpc.ErrorInfo"
            body["details"] = [{"@type": kind, "reason": _DETAILS[error.kind]}]
        if error.kind is ErrorKind.RATE_LIMIT:
            kind = "type.googleapis.com/google.rpc.RetryInfo"
            body["details"] = [{"@type": kind, "retryDelay": "1s"}]
        return ErrorReply(status, {"error": body}, error.headers())


#: schemas and arguments, whose names are the caller's own
_VERBATIM = frozenset(
    {"args", "response", "responseSchema", "responseJsonSchema", "parameters", "parametersJsonSchema"}
)


def _camel(value: Any) -> Any:
    """Return the JSON with names like `max_output_tokens` spelled `maxOutputTokens`."""
    if isinstance(value, list):
        return [_camel(item) for item in value]
    if not isinstance(value, dict):
        return value
    spelled = {_SNAKE.sub(lambda match: match[1].upper(), name): item for name, item in value.items()}
    return {name: item if name in _VERBATIM else _camel(item) for name, item in spelled.items()}


_SNAKE = re.compile(r"_([a-z])")


def _messages(raw: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the contents as messages in OpenAI's format."""
    if raw.get("systemInstruction"):
        yield {"role": "system", "content": _content(raw["systemInstruction"])}
    for turn in raw["contents"]:
        role = turn.get("role", "user")
        yield {"role": _ROLES.get(role, role), "content": _content(turn)}


def _content(turn: Mapping[str, Any]) -> Any:
    parts = [_part(part) for part in turn.get("parts") or ()]
    return parts[0]["text"] if len(parts) == 1 and parts[0]["type"] == "text" else parts


def _part(part: Mapping[str, Any]) -> dict[str, Any]:
    if "text" in part:
        return {"type": "text", "text": part["text"]}
    if "inlineData" in part or "fileData" in part:
        return {"type": "image"}
    if not {"functionCall", "functionResponse"} & part.keys():
        raise bad_request("* GenerateContentRequest.contents[0].parts: contents.parts must not be empty.")
    return {"type": "tool", **part}


def _tools(raw: Mapping[str, Any]) -> Iterator[Tool]:
    for tool in raw.get("tools") or ():
        for function in tool.get("functionDeclarations") or ():
            schema = function.get("parametersJsonSchema") or function.get("parameters") or {}
            yield Tool(str(function.get("name")), _lower(schema))


def _tool_choice(raw: Mapping[str, Any]) -> str:
    chosen = (raw.get("toolConfig") or {}).get("functionCallingConfig") or {}
    names = chosen.get("allowedFunctionNames")
    mode = {"ANY": "required", "NONE": "none"}.get(str(chosen.get("mode")).upper(), "auto")
    return str(names[0]) if names and mode == "required" else mode


def _schema(settings: Mapping[str, Any]) -> Mapping[str, Any] | None:
    if settings.get("responseMimeType") != "application/json":
        return None
    schema: Mapping[str, Any] = settings.get("responseJsonSchema") or settings.get("responseSchema") or {}
    lowered: Mapping[str, Any] = _lower(schema)
    return lowered


def _lower(schema: Any) -> Any:
    """Return the schema with its types in lower case: Gemini's own schemas say `STRING`."""
    if isinstance(schema, list):
        return [_lower(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        name: value.lower() if name == "type" and isinstance(value, str) else _lower(value)
        for name, value in schema.items()
    }


def _budget(settings: Mapping[str, Any]) -> Any:
    thinking = settings.get("thinkingConfig") or {}
    return thinking.get("thinkingBudget", thinking.get("thinkingLevel"))


def _candidate(call: Call) -> dict[str, Any]:
    plan = call.plan
    refused = plan.shape is Shape.REFUSAL
    candidate: dict[str, Any] = {
        "content": {"role": "model", "parts": list(_parts(call))},
        "finishReason": "SAFETY" if refused else _FINISH_REASONS[plan.finish_reason],
        "index": 0,
    }
    if plan.shape is Shape.CITATIONS:
        candidate["groundingMetadata"] = {
            "webSearchQueries": ["harbour"],
            "groundingChunks": [{"web": {"uri": SOURCE["url"], "title": SOURCE["title"]}}],
            "groundingSupports": [
                {"segment": {"startIndex": 0, "endIndex": 4, "text": "The "}, "groundingChunkIndices": [0]}
            ],
        }
    return candidate


def _parts(call: Call) -> Iterator[dict[str, Any]]:
    plan = call.plan
    if plan.reasoning:
        yield {"text": plan.reasoning, "thought": True}
    for one in plan.tool_calls:
        yield {"functionCall": {"name": one.name, "args": one.arguments}}
    if not plan.tool_calls and call.text:
        yield {"text": call.text}
    if plan.shape is Shape.IMAGE:
        yield {"inlineData": {"mimeType": "image/png", "data": PIXEL}}


def _usage(counts: TokenCounts) -> dict[str, Any]:
    """Return the counts; thoughts are counted beside the candidates."""
    return {
        "promptTokenCount": counts.prompt,
        "cachedContentTokenCount": counts.cached,
        "candidatesTokenCount": counts.output,
        "thoughtsTokenCount": counts.reasoning,
        "totalTokenCount": counts.total,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": counts.prompt}],
    }
