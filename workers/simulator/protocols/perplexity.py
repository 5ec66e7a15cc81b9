"""Perplexity's chat completions: https://docs.perplexity.ai/api-reference/chat-completions-post."""

from typing import Any, ClassVar

from workers.simulator.http_errors import ErrorKind, HttpError
from workers.simulator.protocols.compatible import Compatible
from workers.simulator.protocols.oddities import SOURCE
from workers.simulator.protocols.protocol import Call, ErrorReply, ErrorTable, told
from workers.simulator.token_counts import TokenCounts

_UNAUTHORIZED = (
    "<html>\r\n<head><title>401 Authorization Required</title></head>\r\n<body>\r\n"
    "<center><h1>401 Authorization Required</h1></center>\r\n"
    "<hr><center>openresty/1.25.3.1</center>\r\n</body>\r\n</html>\r\n"
)
_ERRORS: ErrorTable = {
    ErrorKind.RATE_LIMIT: (
        429,
        "request_rate_limit_exceeded",
        "Request rate limit exceeded, please try again.",
    ),
    ErrorKind.QUOTA: (401, "insufficient_quota", "You exceeded your current quota, please check your plan."),
    ErrorKind.PAYMENT: (
        401,
        "insufficient_quota",
        "You exceeded your current quota, please check your plan.",
    ),
    ErrorKind.UNKNOWN_MODEL: (
        400,
        "invalid_model",
        "Invalid model 'unknown'. Permitted models can be found here.",
    ),
    ErrorKind.CONTEXT_LENGTH: (400, "bad_request", "This model's maximum context length is 128000 tokens."),
}


class Perplexity(Compatible):
    """Perplexity: citations beside the choices, a fee for each search, errors with numbers as codes."""

    name: ClassVar[str] = "perplexity"
    base: ClassVar[str] = ""
    needs_key: ClassVar[bool] = True

    def lay_out(self, call: Call) -> dict[str, Any]:
        """Return a completion with what was found on the web."""
        found = {**SOURCE, "date": "2026-01-01", "last_updated": None, "snippet": "The harbour is open."}
        return {**super().lay_out(call), "citations": [SOURCE["url"]], "search_results": [found]}

    def usage(self, counts: TokenCounts, call: Call) -> dict[str, Any]:
        """Return the usage with the dollars that Perplexity bills."""
        return {
            **super().usage(counts, call),
            "search_context_size": "low",
            "num_search_queries": 1,
            "cost": {"request_cost": 0.005, "total_cost": call.micro_usd / 1_000_000},
        }

    def error(self, error: HttpError) -> ErrorReply:
        """Return an error; a wrong key is answered by the web server before the API."""
        if error.kind is ErrorKind.BAD_KEY:
            return ErrorReply(401, _UNAUTHORIZED, {})
        status, kind, message = told(_ERRORS, error)
        shown = {"message": message, "type": kind, "code": status}
        return ErrorReply(status, {"error": shown}, error.headers())
