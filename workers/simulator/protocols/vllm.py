"""vLLM's OpenAI-compatible server: https://docs.vllm.ai/en/latest/serving/openai_compatible_server.html."""

from collections.abc import Mapping
from dataclasses import replace
from http import HTTPStatus
from typing import Any, ClassVar

from workers.simulator.http_errors import ErrorKind, HttpError
from workers.simulator.protocols.compatible import Compatible
from workers.simulator.protocols.protocol import Call, ErrorReply, ErrorTable, told
from workers.simulator.requests import ChatRequest, parse_chat

#: every code is the status as a number
_ERRORS: ErrorTable = {
    ErrorKind.CONTEXT_LENGTH: (
        400,
        "BadRequestError",
        "This model's maximum context length is 8192 tokens. However, you requested 9000 tokens.",
    ),
    ErrorKind.UNKNOWN_MODEL: (404, "NotFoundError", "The model `unknown` does not exist."),
    ErrorKind.RATE_LIMIT: (429, "RateLimitError", "Too many requests"),
    ErrorKind.INVALID: (400, "BadRequestError", ""),
}


class Vllm(Compatible):
    """vLLM: every parameter is accepted, guided decoding included; errors have numbers as codes."""

    name: ClassVar[str] = "vllm"

    def parse(self, raw: dict[str, Any], *, model: str | None, headers: Mapping[str, str]) -> ChatRequest:
        """Check a request; a guided one is answered with JSON that fits its schema."""
        request = parse_chat(raw)
        guided = raw.get("guided_json") or (raw.get("structured_outputs") or {}).get("json")
        return replace(request, schema=guided) if isinstance(guided, dict) else request

    def lay_out(self, call: Call) -> dict[str, Any]:
        """Return a completion with vLLM's own fields."""
        body = super().lay_out(call)
        return {**body, "prompt_logprobs": None, "kv_transfer_params": None}

    def choice(self, call: Call) -> dict[str, Any]:
        """Return the only choice."""
        return {**super().choice(call), "stop_reason": None}

    def message(self, call: Call) -> dict[str, Any]:
        """Return a message; `reasoning_content` is always there, ids of tool calls have their own form."""
        message = super().message(call)
        for one in message.get("tool_calls") or ():
            one["id"] = f"chatcmpl-tool-{one['id'].removeprefix('call_')}"
        return {"reasoning_content": None, "tool_calls": [], **message}

    def error(self, error: HttpError) -> ErrorReply:
        """Return an error; a wrong key is a text."""
        if error.kind is ErrorKind.BAD_KEY:
            return ErrorReply(401, {"error": "Unauthorized"}, {})
        phrase = HTTPStatus(error.status).phrase if error.status < 520 else "Error"
        status, kind, message = told(_ERRORS, error, other=phrase)
        shown = {"message": message, "type": kind, "param": None, "code": status}
        return ErrorReply(status, {"error": shown}, error.headers())
