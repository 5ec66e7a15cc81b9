"""What is written about each request of a batch."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class ResultRecord:
    """The outcome of one line of a batch.

    An answered request has a `status_code` below 400 and a chat completion as `body`. One that a provider
    refused has that provider's status code; one that never got an answer (an input error, a cancelled
    request, a spent budget) has none. `error_line` is the input line of an input error. `waybill` is how the
    request was routed and what it cost (DESIGN.md section 3).
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

    @property
    def has_response(self) -> bool:
        """Whether a provider's HTTP answer decided the outcome, a refusal included."""
        refused = self.status_code is not None and self.status_code >= 400
        return refused or (self.status_code is not None and self.error_code is None)

    @property
    def failed(self) -> bool:
        """Whether the request has no answer."""
        return self.status_code is None or self.status_code >= 400 or self.error_code is not None


@dataclass(frozen=True, slots=True)
class ResultCounts:
    """How many results were written in all, and how many of them are failures."""

    written: int
    failed: int
