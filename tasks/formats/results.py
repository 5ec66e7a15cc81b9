"""The results of a batch, as they are written to result files."""

from dataclasses import dataclass
from typing import Any

from tasks.endpoints.endpoint import CHAT_PATH


@dataclass(frozen=True, slots=True)
class ResultRecord:
    """The outcome of one line of a batch.

    Attributes:
        status_code: Below 400 for an answered request, the provider's code for a refused one, None without a
            response (an input error, a cancelled request, a spent budget).
        body: The reply to an answered request, in the shape of its endpoint.
        error_line: The input line of an input error.
        waybill: How the request was routed and what it cost (docs/formats.md, "Results").
        endpoint: The path of the API that the request was for.
    """

    request_id: str
    custom_id: str
    line: int
    status_code: int | None
    body: dict[str, Any] | None
    error_code: str | None
    error_message: str | None
    error_line: int | None
    waybill: dict[str, Any]
    endpoint: str = CHAT_PATH

    @property
    def has_response(self) -> bool:
        """Whether the outcome is a provider's HTTP response, which may be an error."""
        refused = self.status_code is not None and self.status_code >= 400
        return refused or (self.status_code is not None and self.error_code is None)

    @property
    def has_invalid_answer(self) -> bool:
        """Whether the body is an answer that does not fit what the request demands, kept beside the error."""
        return self.body is not None and self.waybill.get("valid") is False

    @property
    def provider_error(self) -> dict[str, str]:
        """What the provider objected to: its `type`, `code` and `param`, as far as it named them."""
        return dict(self.waybill.get("provider_error") or {})

    @property
    def failed(self) -> bool:
        """Whether the request has no answer."""
        return self.status_code is None or self.status_code >= 400 or self.error_code is not None


@dataclass(frozen=True, slots=True)
class ResultCounts:
    """The number of results written, and how many of them are failures."""

    written: int
    failed: int
