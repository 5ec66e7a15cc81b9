"""The errors of the Batch API, by what the caller can do; their messages are shown to it.

ApiError                fix the request
├── NotFound            there is no such file, batch or model, or it is another owner's
├── Conflict            it cannot be done in this state
└── LimitReached        wait, or ask the operator for more
"""

from __future__ import annotations

from tasks.errors import WaybillError


class ApiError(WaybillError):
    """A request that is refused.

    Attributes:
        code: A stable identifier.
        param: The parameter that is wrong, if there is one.
    """

    def __init__(self, message: str, *, code: str = "invalid_request", param: str | None = None) -> None:
        super().__init__(message)
        self.message, self.code, self.param = message, code, param


class NotFound(ApiError):
    """Something that is not there, or belongs to somebody else: the answer is the same."""

    def __init__(self, what: str, name: str, *, param: str | None = None) -> None:
        super().__init__(f"no such {what}: {name[:80]!r}", code="not_found", param=param)


class Conflict(ApiError):
    """Something that cannot be done in the state that a thing is in; to try again is no use."""


class LimitReached(ApiError):
    """A limit of a key; `retry_after_s` says when it may be gone, where that is known."""

    def __init__(self, message: str, *, code: str, retry_after_s: float | None = None) -> None:
        super().__init__(message, code=code)
        self.retry_after_s = retry_after_s
