"""Mistral's chat completions: https://docs.mistral.ai/api."""

import re
from collections.abc import Mapping
from typing import Any, ClassVar

from workers.simulator.errors import bad_request
from workers.simulator.http_errors import ErrorKind, HttpError
from workers.simulator.plan import ToolCall
from workers.simulator.protocols.checks import refuse_unknown
from workers.simulator.protocols.compatible import Compatible
from workers.simulator.protocols.protocol import Call, ErrorReply
from workers.simulator.requests import ChatRequest, messages_of, parse_chat

_PARAMETERS = frozenset({
    "frequency_penalty", "guardrails", "max_tokens", "messages", "metadata", "model", "n",
    "parallel_tool_calls", "prediction", "presence_penalty", "prompt_mode", "random_seed",
    "reasoning_effort", "response_format", "safe_prompt", "stop", "stream", "temperature",
    "tool_choice", "tools", "top_p",
})  # fmt: skip
_TOOL_ID = re.compile(r"[a-zA-Z0-9]{9}\Z")
#: status, type, words and code of each error
_ERRORS = {
    ErrorKind.RATE_LIMIT: (429, "rate_limited", "Rate limit exceeded", "1300"),
    ErrorKind.QUOTA: (429, "service_tier_capacity_exceeded", "Service tier capacity exceeded.", "3505"),
    ErrorKind.SERVER: (500, "internal_server_error", "Internal server error", "1000"),
    ErrorKind.GATEWAY: (502, "internal_server_error", "Bad gateway", "1000"),
    ErrorKind.UNAVAILABLE: (503, "unreachable_backend", "Service unavailable.", "1100"),
    ErrorKind.OVERLOADED: (503, "unreachable_backend", "Service unavailable.", "1100"),
    ErrorKind.PAYMENT: (402, "payment_required", "Payment required", "1402"),
    ErrorKind.FORBIDDEN: (403, "forbidden", "Forbidden", "1403"),
    ErrorKind.CONTEXT_LENGTH: (
        400,
        "invalid_request_prompt",
        "Prompt contains 40000 tokens and 0 draft tokens, too large for model with 32768 maximum"
        " context length",
        "3051",
    ),
    ErrorKind.CONTENT_POLICY: (
        403,
        "moderation_blocked",
        "The request was blocked by the moderation",
        "3220",
    ),
    ErrorKind.UNKNOWN_MODEL: (400, "invalid_model", "Invalid model: unknown", "1500"),
}


class Mistral(Compatible):
    """Mistral: a closed list of parameters, ids of nine characters, errors at the top of the body."""

    name: ClassVar[str] = "mistral"
    needs_key: ClassVar[bool] = True

    def parse(self, raw: dict[str, Any], *, model: str | None, headers: Mapping[str, str]) -> ChatRequest:
        """Check a request as Mistral does."""
        refuse_unknown(raw, _PARAMETERS, "body.{}: Extra inputs are not permitted")
        messages = messages_of(raw)
        for message in messages:
            calls = [str(call.get("id")) for call in message.get("tool_calls") or ()]
            answered = [str(message["tool_call_id"])] if "tool_call_id" in message else []
            for one in [*calls, *answered]:
                if not _TOOL_ID.match(one):
                    raise bad_request(
                        f"Tool call id was {one} but must be a-z, A-Z, 0-9, with a length of 9."
                    )
        if messages[-1].get("role") not in ("user", "tool") and not messages[-1].get("prefix"):
            raise bad_request("Expected last role User or Tool (or Assistant with prefix True) for serving")
        return parse_chat(raw)

    def lay_out(self, call: Call) -> dict[str, Any]:
        """Return a completion without a fingerprint; its id has no prefix."""
        body = super().lay_out(call)
        del body["system_fingerprint"]
        return {**body, "id": call.plan.number}

    def message(self, call: Call) -> dict[str, Any]:
        """Return a message; its content is empty beside tool calls, and a list beside reasoning."""
        message = super().message(call)
        thought = message.pop("reasoning_content", None)
        refusal = message.pop("refusal", None)
        if refusal:  # Mistral has no field for it
            message["content"] = refusal
        if thought:
            thinking = {"type": "thinking", "thinking": [{"type": "text", "text": thought}]}
            texts = [{"type": "text", "text": message["content"]}] if message["content"] else []
            message["content"] = [thinking, *texts]
        if message["content"] is None and "tool_calls" in message:
            message["content"] = ""
        return message

    def tool_call(self, call: ToolCall) -> dict[str, Any]:
        """Return a tool call with an id of nine characters."""
        return {**super().tool_call(call), "id": call.id[:9], "index": 0}

    def error(self, error: HttpError) -> ErrorReply:
        """Return an error in one of Mistral's three structures."""
        if error.kind is ErrorKind.BAD_KEY:
            return ErrorReply(401, {"detail": "Unauthorized"}, {})
        if error.kind is ErrorKind.INVALID:
            detail = [{"type": "value_error", "loc": ["body"], "msg": error.message}]
            body: dict[str, Any] = {"message": {"detail": detail}, "type": "invalid_request_error"}
            return ErrorReply(422, {"object": "error", **body, "param": None, "code": None}, {})
        status, kind, message, code = _ERRORS[error.kind]
        body = {"object": "error", "message": message, "type": kind, "param": None, "code": code}
        return ErrorReply(status, body, error.headers())
