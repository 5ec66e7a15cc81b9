"""The interface of a provider's protocol."""

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, TypeAlias

from workers.simulator.faults import Fault
from workers.simulator.http_errors import ErrorKind, HttpError
from workers.simulator.plan import Plan
from workers.simulator.requests import ChatRequest
from workers.simulator.token_counts import TokenCounts

_ABSURD = TokenCounts(input=-1, output=10**12)


@dataclass(frozen=True)
class Call:
    """An answered call, with all that a protocol lays out; some faults leave out a part of it."""

    request: ChatRequest
    plan: Plan
    counts: TokenCounts
    micro_usd: int

    @property
    def text(self) -> str | None:
        """The text of the answer; None where it has none."""
        if self.plan.fault is Fault.EMPTY_CONTENT:
            return None
        return self.plan.text

    @property
    def usage(self) -> TokenCounts | None:
        """The token counts that the reply names, which may be wrong; None where it names none."""
        if self.plan.fault is Fault.ABSURD_USAGE:
            return _ABSURD
        return None if self.plan.fault is Fault.NO_USAGE else self.counts

    @property
    def is_empty(self) -> bool:
        """Whether the reply has no choice at all."""
        return self.plan.fault is Fault.NO_CHOICES


#: the status, type and words of a provider's errors; empty words are OpenAI's
ErrorTable: TypeAlias = Mapping[ErrorKind, tuple[int, str, str]]


def told(errors: ErrorTable, error: HttpError, *, other: str | None = None) -> tuple[int, str, str]:
    """Return the status, type and words of an error; one that the table lacks is OpenAI's, with this type."""
    status, kind, message = errors.get(error.kind, (error.status, other or error.type, ""))
    return status, kind, message or error.message


@dataclass(frozen=True)
class ErrorReply:
    """An error as a provider sends it; a text is sent as HTML, anything else as JSON."""

    status: int
    body: Any
    headers: Mapping[str, str]


class Protocol(ABC):
    """A provider's protocol; an instance has no state."""

    name: ClassVar[str]
    """The first part of its paths, which stands for the provider's host."""
    base: ClassVar[str]
    """The path that belongs to an `api_base` for LiteLLM."""
    paths: ClassVar[tuple[str, ...]]
    """The paths after it; `{model}` is the model's name."""
    needs_key: ClassVar[bool] = True

    @abstractmethod
    def parse(self, raw: dict[str, Any], *, model: str | None, headers: Mapping[str, str]) -> ChatRequest:
        """Check a request; raises RefusedError. `model` is the one that the path names."""

    @abstractmethod
    def lay_out(self, call: Call) -> dict[str, Any]:
        """Return the reply as the provider structures it."""

    @abstractmethod
    def error(self, error: HttpError) -> ErrorReply:
        """Return the error with the provider's status, words and structure."""

    def key(self, headers: Mapping[str, str], _query: Mapping[str, str]) -> str:
        """Return the key that the caller sent, or an empty text."""
        return headers.get("Authorization", "").removeprefix("Bearer ")

    def encode(self, call: Call) -> bytes:
        """Return the bytes of a reply."""
        return json.dumps(self.lay_out(call)).encode()
