"""DeepSeek's chat completions: https://api-docs.deepseek.com/api/create-chat-completion."""

from collections.abc import Mapping
from typing import Any, ClassVar

from workers.simulator.errors import bad_request
from workers.simulator.http_errors import ErrorKind, HttpError
from workers.simulator.protocols.compatible import Compatible
from workers.simulator.protocols.protocol import Call, ErrorReply, ErrorTable, told
from workers.simulator.requests import ChatRequest, messages_of, parse_chat, parts_of
from workers.simulator.token_counts import TokenCounts

#: almost every code is "invalid_request_error"
_ERRORS: ErrorTable = {
    ErrorKind.RATE_LIMIT: (429, "rate_limit_error", "Rate limit reached for requests"),
    ErrorKind.QUOTA: (402, "unknown_error", "Insufficient Balance"),
    ErrorKind.PAYMENT: (402, "unknown_error", "Insufficient Balance"),
    ErrorKind.SERVER: (500, "internal_error", "Internal server error"),
    ErrorKind.UNAVAILABLE: (503, "service_unavailable_error", "Service is too busy."),
    ErrorKind.OVERLOADED: (503, "service_unavailable_error", "Service is too busy."),
    ErrorKind.BAD_KEY: (401, "authentication_error", "Authentication Fails, Your api key is invalid"),
    ErrorKind.CONTEXT_LENGTH: (
        400,
        "invalid_request_error",
        "This model's maximum context length is 131072 tokens. However, you requested 200000 tokens.",
    ),
    ErrorKind.CONTENT_POLICY: (400, "invalid_request_error", "Content Exists Risk"),
    ErrorKind.UNKNOWN_MODEL: (400, "invalid_request_error", "Model Not Exist"),
    ErrorKind.INVALID: (400, "invalid_request_error", ""),
}


class DeepSeek(Compatible):
    """DeepSeek: messages need the key `content`, and the cache is reported beside the counts."""

    name: ClassVar[str] = "deepseek"
    base: ClassVar[str] = ""
    paths: ClassVar[tuple[str, ...]] = ("/chat/completions", "/v1/chat/completions", "/beta/chat/completions")
    needs_key: ClassVar[bool] = True

    def parse(self, raw: dict[str, Any], *, model: str | None, headers: Mapping[str, str]) -> ChatRequest:
        """Check a request as DeepSeek does."""
        for index, message in enumerate(messages_of(raw)):
            if "content" not in message:
                raise bad_request(
                    "Failed to deserialize the JSON body into the target type: "
                    f"messages[{index}]: missing field `content`"
                )
            if any(part.get("type") != "text" for part in parts_of(message)):
                raise bad_request(f"messages[{index}]: unknown variant `image_url`, expected `text`")
        if (raw.get("response_format") or {}).get("type") == "json_schema":
            raise bad_request("This response_format type is unavailable now")
        return parse_chat(raw)

    def usage(self, counts: TokenCounts, call: Call) -> dict[str, Any]:
        """Return the usage with the cache's hits and misses."""
        return {
            **super().usage(counts, call),
            "prompt_tokens_details": {"cached_tokens": counts.cached},
            "completion_tokens_details": {"reasoning_tokens": counts.reasoning},
            "prompt_cache_hit_tokens": counts.cached,
            "prompt_cache_miss_tokens": counts.input,
        }

    def error(self, error: HttpError) -> ErrorReply:
        """Return an error, whose code says little."""
        status, kind, message = told(_ERRORS, error)
        shown = {"message": message, "type": kind, "param": None, "code": "invalid_request_error"}
        return ErrorReply(status, {"error": shown}, error.headers())

    def encode(self, call: Call) -> bytes:
        """Return a reply after the blank lines that keep a waiting connection open."""
        return b"\n\n" + super().encode(call)
