"""xAI's chat completions: https://docs.x.ai/docs/api-reference."""

from typing import Any, ClassVar

from workers.simulator.http_errors import ErrorKind, HttpError
from workers.simulator.protocols.compatible import Compatible
from workers.simulator.protocols.protocol import Call, ErrorReply, ErrorTable, told
from workers.simulator.token_counts import TokenCounts

_ARGUMENT = "Client specified an invalid argument"
_PERMISSION = "The caller does not have permission to execute the specified operation"
_EXHAUSTED = "Some resource has been exhausted"
#: the types are sentences, and stand in the field `code`
_ERRORS: ErrorTable = {
    ErrorKind.RATE_LIMIT: (429, _EXHAUSTED, "Too many requests for team. Your team's rate limit is 60."),
    ErrorKind.QUOTA: (
        429,
        _EXHAUSTED,
        "Your team t-1 has either used all available credits or reached its monthly spending limit.",
    ),
    ErrorKind.PAYMENT: (403, _PERMISSION, "Your newly created team doesn't have any credits yet."),
    ErrorKind.BAD_KEY: (400, _ARGUMENT, "Incorrect API key provided: sk**. You can obtain an API key."),
    ErrorKind.FORBIDDEN: (403, _PERMISSION, "The API key is currently blocked."),
    ErrorKind.CONTENT_POLICY: (403, _PERMISSION, "Content violates usage guidelines."),
    ErrorKind.CONTEXT_LENGTH: (
        400,
        _ARGUMENT,
        "This model's maximum prompt length is 131072 but the request contains 200000 tokens.",
    ),
    ErrorKind.UNKNOWN_MODEL: (
        404,
        "Some requested entity was not found",
        "The model unknown does not exist.",
    ),
    ErrorKind.INVALID: (400, _ARGUMENT, ""),
}


class Xai(Compatible):
    """xAI: reasoning is counted beside the completion, and an error is a text with a sentence as its code."""

    name: ClassVar[str] = "xai"
    needs_key: ClassVar[bool] = True

    def usage(self, counts: TokenCounts, call: Call) -> dict[str, Any]:
        """Return the usage: the total exceeds prompt and completion by the reasoning."""
        return {
            **super().usage(counts, call),
            "completion_tokens": counts.output,
            "prompt_tokens_details": {
                "text_tokens": counts.prompt,
                "audio_tokens": 0,
                "image_tokens": 0,
                "cached_tokens": counts.cached,
            },
            "completion_tokens_details": {"reasoning_tokens": counts.reasoning, "audio_tokens": 0},
            "num_sources_used": 0,
        }

    def error(self, error: HttpError) -> ErrorReply:
        """Return an error whose text stands beside its code."""
        status, code, message = told(_ERRORS, error, other="The service is unavailable")
        return ErrorReply(status, {"code": code, "error": message}, error.headers())
