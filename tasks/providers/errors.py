"""Errors of provider calls, split by what the caller does.

ProviderError
├── RetryableError      the same call may succeed later
├── TerminalError       the same call fails again; `try_other_model` says whether another model may answer
└── ModelPausedError    the operator must act (key, credit, permission); calls to the model pause meanwhile

They carry a kind, an HTTP status and a provider's code, never a provider's text: providers echo prompts
and keys, and exception texts reach logs, Flower and the store.
"""

from __future__ import annotations

import re
from enum import StrEnum

from tasks.errors import WaybillError

_CODE = re.compile(r"[a-z][a-z_]{0,47}")


class ErrorKind(StrEnum):
    """What went wrong, in the words that are stored and shown."""

    RATE_LIMIT = "rate_limit"
    SERVER = "server_error"
    CONNECTION = "connection"
    TIMEOUT = "timeout"
    #: a success status without a usable answer
    GARBAGE = "garbage_reply"
    #: the worker died with the call in flight
    UNKNOWN = "unknown_outcome"
    BAD_REQUEST = "bad_request"
    CONTENT_POLICY = "content_policy"
    CONTEXT_WINDOW = "context_window"
    NOT_FOUND = "model_not_found"
    AUTHENTICATION = "authentication"
    PAYMENT = "payment_required"
    PERMISSION = "permission_denied"

    @property
    def needs_operator(self) -> bool:
        """Whether only people can mend it: a key, credit or permission."""
        return self in (ErrorKind.AUTHENTICATION, ErrorKind.PAYMENT, ErrorKind.PERMISSION)

    @property
    def is_providers_fault(self) -> bool:
        """Whether the provider itself is in trouble: it counts for the circuit breaker."""
        return self in (ErrorKind.SERVER, ErrorKind.CONNECTION, ErrorKind.TIMEOUT, ErrorKind.GARBAGE)


class ProviderError(WaybillError):
    """A call that ended without an answer.

    `status` is the HTTP status if there was one, `retry_after_s` what the provider asked for (clamped), and
    `maybe_billed` says that the provider may have done the work: the ledger then charges the worst case.
    """

    def __init__(
        self,
        kind: ErrorKind,
        *,
        status: int | None = None,
        code: str | None = None,
        retry_after_s: float | None = None,
        maybe_billed: bool = False,
    ) -> None:
        self.kind = kind
        self.status = status
        self.code = safe_code(code)
        self.retry_after_s = retry_after_s
        self.maybe_billed = maybe_billed
        super().__init__(self.kind.value, self.status, self.code)

    def __str__(self) -> str:
        """Kind, status and code: `rate_limit (429, tokens)`."""
        details = ", ".join(str(part) for part in (self.status, self.code) if part is not None)
        return f"{self.kind} ({details})" if details else str(self.kind)


class RetryableError(ProviderError):
    """Wait, then call again."""


class TerminalError(ProviderError):
    """Do not make this call again."""

    @property
    def try_other_model(self) -> bool:
        """Whether the request itself is sound, so that another model may answer it."""
        return self.kind in (ErrorKind.CONTEXT_WINDOW, ErrorKind.CONTENT_POLICY, ErrorKind.NOT_FOUND)


class ModelPausedError(ProviderError):
    """Pause the model until its key, credit or permission is mended."""


def safe_code(code: object) -> str | None:
    """Return a provider's error code if it looks like one (`insufficient_quota`); None otherwise: codes may echo."""
    return code if isinstance(code, str) and _CODE.fullmatch(code) else None
