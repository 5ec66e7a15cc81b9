"""The errors of provider calls, grouped by what the caller should do.

ProviderError
├── RetryableError      the same call may succeed later
├── TerminalError       the same call would fail again; `try_other_model`: whether another model may answer
├── InternalError       an error of our own, or of a library: nothing is said of the provider
└── ModelPausedError    the operator must act (key, credit, permission); calls to the model pause meanwhile
    └── MissingKeyError the key is missing here: nothing was sent

An error holds a kind, an HTTP status and a provider's code, type and parameter, where they look like such;
never a provider's text: providers quote prompts and keys, and the texts of exceptions reach logs, Flower and
the store.
"""

from __future__ import annotations

import re
from enum import StrEnum

from router_core.pricing import Usage
from tasks.errors import WaybillError

_CODE = re.compile(r"[a-z][a-z_]{0,47}")
#: a name as variables for keys have them; a key by mistake has small letters or dashes
_VARIABLE = re.compile(r"[A-Z_][A-Z0-9_]{0,63}")
#: as OpenAI and Anthropic write types, as Google does, and as AWS does
_TYPE = re.compile(
    r"[a-z][a-z_]{0,40}_error|insufficient_quota|invalid_request|requests|tokens|error"
    r"|(?:[A-Z][a-z]{1,15}){1,5}(?:Error|Exception)"
    r"|INVALID_ARGUMENT|FAILED_PRECONDITION|OUT_OF_RANGE|UNAUTHENTICATED|PERMISSION_DENIED|NOT_FOUND|ABORTED"
    r"|ALREADY_EXISTS|RESOURCE_EXHAUSTED|CANCELLED|DATA_LOSS|UNKNOWN|INTERNAL|UNIMPLEMENTED|UNAVAILABLE"
    r"|DEADLINE_EXCEEDED"
)
#: What a request's parts are called. A path ends before any other name: that may be the user's, as the
#: properties of a schema are.
_PARTS = (
    "arguments|audio|content|contents|detail|dimensions|effort|encoding_format|file|file_data|file_id|"
    "format|frequency_penalty|function|function_call|functions|generation_config|image|image_url|"
    "include|input|instructions|json_schema|logit_bias|logprobs|max_completion_tokens|"
    "max_output_tokens|max_tokens|messages|modalities|model|n|name|parallel_tool_calls|parameters|"
    "parts|prediction|presence_penalty|prompt|reasoning|reasoning_effort|response_format|role|"
    "safety_settings|schema|seed|service_tier|stop|stop_sequences|store|stream|strict|suffix|system|"
    "temperature|text|thinking|tool_calls|tool_choice|tools|top_k|top_logprobs|top_p|truncation|type|"
    "url|user|verbosity"
)
#: `temperature`, `messages[0].content`, `tools.0.function.name`
_PARAM = re.compile(rf"(?:{_PARTS})\b(?:\.(?:{_PARTS})\b|\.\d{{1,3}}\b|\[\d{{1,3}}\]){{0,5}}(?=[.\[]|$)")
_PATH = re.compile(r"[a-z][\w.\[\]-]{0,199}", re.ASCII)


class ErrorKind(StrEnum):
    """The kind of a provider error; its value is stored and shown."""

    RATE_LIMIT = "rate_limit"
    SERVER = "server_error"
    CONNECTION = "connection"
    TIMEOUT = "timeout"
    #: a response with a success status but no usable answer
    INVALID_REPLY = "garbage_reply"
    #: the worker died while the call was in flight
    UNKNOWN = "unknown_outcome"
    BAD_REQUEST = "bad_request"
    CONTENT_POLICY = "content_policy"
    CONTEXT_WINDOW = "context_window"
    NOT_FOUND = "model_not_found"
    AUTHENTICATION = "authentication"
    PAYMENT = "payment_required"
    PERMISSION = "permission_denied"
    #: the variable that should hold the key is not set; nothing was sent
    MISSING_KEY = "missing_key"
    #: an error of our own
    INTERNAL = "internal_error"

    @property
    def needs_operator(self) -> bool:
        """Whether only the operator can fix it: a key, credit or permission."""
        return self in (
            ErrorKind.AUTHENTICATION, ErrorKind.PAYMENT, ErrorKind.PERMISSION, ErrorKind.MISSING_KEY,
        )  # fmt: skip

    @property
    def is_providers_fault(self) -> bool:
        """Whether the provider caused the error, so that it counts as a failure for the circuit breaker."""
        return self in (ErrorKind.SERVER, ErrorKind.CONNECTION, ErrorKind.TIMEOUT, ErrorKind.INVALID_REPLY)


class ProviderError(WaybillError):
    """A call that ended without an answer.

    Attributes:
        kind: The kind of error.
        status: The HTTP status; None if there was no response.
        code: The provider's error code, if it is safe to show.
        type: The provider's type of the error, if it is safe to show.
        param: The parameter of the request that the provider objects to, if it is safe to show.
        retry_after_s: The wait that the provider asked for, limited to ten minutes.
        maybe_billed: Whether the provider may have charged the call; the ledger then charges `usage`, or the
            worst case where that is unknown.
        usage: What the call used, where the response says so.
    """

    def __init__(
        self,
        kind: ErrorKind,
        *,
        status: int | None = None,
        code: str | None = None,
        type: str | None = None,
        param: str | None = None,
        retry_after_s: float | None = None,
        maybe_billed: bool = False,
    ) -> None:
        self.kind = kind
        self.status = status
        self.code = safe_code(code)
        self.type = safe_type(type)
        self.param = safe_param(param)
        self.retry_after_s = retry_after_s
        self.maybe_billed = maybe_billed
        self.usage: Usage | None = None
        super().__init__(self.kind.value, self.status, self.code)

    @property
    def objection(self) -> dict[str, str]:
        """What the provider objects to, in its own terms: `type`, `code`, `param`, as far as it says so."""
        named = {"type": self.type, "code": self.code, "param": self.param}
        return {name: value for name, value in named.items() if value is not None}

    def __str__(self) -> str:
        """Return what is known: `rate_limit (429, tokens)`, `bad_request (400, invalid_value, param n)`."""
        param = f"param {self.param}" if self.param else None
        parts = (self.status, self.code or self.type, param)
        details = ", ".join(str(part) for part in parts if part is not None)
        return f"{self.kind} ({details})" if details else str(self.kind)


class RetryableError(ProviderError):
    """An error after which the same call may succeed later."""


class TerminalError(ProviderError):
    """An error after which the same call would fail again."""

    @property
    def try_other_model(self) -> bool:
        """Whether another model may answer the request."""
        return self.kind in (ErrorKind.CONTEXT_WINDOW, ErrorKind.CONTENT_POLICY, ErrorKind.NOT_FOUND)


class ModelPausedError(ProviderError):
    """An error of the model's key, credit or permission; calls to the model pause until it is fixed."""


class MissingKeyError(ModelPausedError):
    """The variable that should hold a model's key is not set in this process: nothing was sent.

    Attributes:
        variable: Its name with a dollar sign, or words for it where it may be a key by mistake.
    """

    def __init__(self, variable: str) -> None:
        self.variable = f"${variable}" if _VARIABLE.fullmatch(variable) else "the variable of its api_key_env"
        super().__init__(ErrorKind.MISSING_KEY)

    def __str__(self) -> str:
        """Return what is missing where: `$OPENAI_API_KEY is not set in the dispatch worker's environment`."""
        return f"{self.variable} is not set in the dispatch worker's environment"


class InternalError(ProviderError):
    """An error of our own, or of a library: the same call would fail again.

    Attributes:
        defect: The name of the exception's class. Its text may quote a prompt.
    """

    def __init__(self, defect: str, *, status: int | None = None, maybe_billed: bool = False) -> None:
        self.defect = defect
        super().__init__(ErrorKind.INTERNAL, status=status, maybe_billed=maybe_billed)

    def __str__(self) -> str:
        """Return kind and class: `internal_error: ModuleNotFoundError`."""
        return f"{self.kind}: {self.defect}"


def safe_code(code: object) -> str | None:
    """Return a provider's error code if it looks like one (`insufficient_quota`), else None.

    Other text may quote a prompt.
    """
    return _safe(_CODE, code)


def safe_type(text: object) -> str | None:
    """Return a provider's type of an error if it looks like one (`invalid_request_error`), else None."""
    return _safe(_TYPE, text)


def safe_param(path: object) -> str | None:
    """Return the place in a request that an error names, as far as its names are those of requests."""
    text = _safe(_PATH, path)
    found = _PARAM.match(text) if text else None
    return found[0] if found else None


def _safe(pattern: re.Pattern[str], text: object) -> str | None:
    return text if isinstance(text, str) and pattern.fullmatch(text) else None
