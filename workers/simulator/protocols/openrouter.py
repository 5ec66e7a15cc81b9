"""OpenRouter's chat completions: https://openrouter.ai/docs/api-reference/overview."""

from typing import Any, ClassVar

from workers.simulator.http_errors import ErrorKind, HttpError
from workers.simulator.protocols.compatible import Compatible
from workers.simulator.protocols.protocol import Call, ErrorReply
from workers.simulator.token_counts import TokenCounts

#: errors of the provider behind it, which come after the headers of a response with status 200
_LATE = frozenset({ErrorKind.SERVER, ErrorKind.GATEWAY, ErrorKind.OVERLOADED})
_WORDS = {
    ErrorKind.PAYMENT: (402, "Insufficient credits. Add more using https://openrouter.ai/settings/credits"),
    ErrorKind.QUOTA: (402, "This request requires more credits, or fewer max_tokens."),
    ErrorKind.BAD_KEY: (401, "User not found."),
    ErrorKind.UNKNOWN_MODEL: (400, "unknown is not a valid model ID"),
    ErrorKind.CONTEXT_LENGTH: (
        400,
        "This endpoint's maximum context length is 128000 tokens. However, you requested about 200000.",
    ),
}
_MODERATED = (
    'openai/m requires moderation on OpenAI. Your input was flagged for "violence". No credits were charged.'
)
_FLAGGED = {
    "reasons": ["violence"],
    "flagged_input": "…",
    "provider_name": "OpenAI",
    "model_slug": "openai/m",
}


class OpenRouter(Compatible):
    """OpenRouter: white space while it waits, errors within a 200, and the dollars in the usage."""

    name: ClassVar[str] = "openrouter"
    base: ClassVar[str] = "/api/v1"
    needs_key: ClassVar[bool] = True

    def lay_out(self, call: Call) -> dict[str, Any]:
        """Return a completion that names the provider behind it."""
        return {**super().lay_out(call), "id": f"gen-{call.plan.number}", "provider": "OpenAI"}

    def choice(self, call: Call) -> dict[str, Any]:
        """Return the only choice."""
        return {**super().choice(call), "native_finish_reason": call.plan.finish_reason}

    def message(self, call: Call) -> dict[str, Any]:
        """Return a message; its reasoning is called so."""
        message = super().message(call)
        return {**message, "reasoning": message.pop("reasoning_content", None)}

    def usage(self, counts: TokenCounts, call: Call) -> dict[str, Any]:
        """Return the usage with its cost."""
        return {
            **super().usage(counts, call),
            "cost": call.micro_usd / 1_000_000,
            "is_byok": False,
            "prompt_tokens_details": {"cached_tokens": counts.cached, "audio_tokens": 0},
            "cost_details": {"upstream_inference_cost": None},
            "completion_tokens_details": {"reasoning_tokens": counts.reasoning, "image_tokens": 0},
        }

    def error(self, error: HttpError) -> ErrorReply:
        """Return an error; one that the provider behind it made has status 200."""
        if error.kind is ErrorKind.CONTENT_POLICY:
            flagged = {"code": 403, "message": _MODERATED, "metadata": _FLAGGED}
            return ErrorReply(403, {"error": flagged}, {})
        status, message = _WORDS.get(error.kind, (error.status, error.message))
        shown: dict[str, Any] = {"message": message, "code": status}
        if error.kind in _LATE or error.kind is ErrorKind.RATE_LIMIT:
            shown |= {
                "message": "Provider returned error",
                "metadata": {"raw": message, "provider_name": "OpenAI"},
            }
        body = {"error": shown, "user_id": "user_1"}
        return ErrorReply(200 if error.kind in _LATE else status, body, error.headers())

    def encode(self, call: Call) -> bytes:
        """Return a reply after the white space of a connection that was kept open."""
        return b"\n         \n" + super().encode(call)
