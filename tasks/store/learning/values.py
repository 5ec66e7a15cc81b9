"""The values that the judge stage and the store exchange."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

#: the error codes after which every later call of the run would end the same way
STOPPED_BY = frozenset({"budget_exceeded", "batch_cancelled"})


@dataclass(frozen=True, slots=True)
class JudgeCallEnd:
    """The end of a judge's call: `reply` is its chat completion, None if it failed with `error_code`."""

    reply: str | None
    error_code: str | None


@dataclass(frozen=True, slots=True)
class StoredVerdict:
    """A verdict in the store, or the call for it.

    Attributes:
        id: The row's id.
        judge: The model that judges.
        first: The model whose answer is shown first.
        second: The model whose answer is shown second.
        number: 1, or higher for a repeated call.
        verdict: The verdict; None until the reply is parsed.
        end: The end of the call, if it has ended and its reply is not parsed yet.
        of_this_run: Whether it belongs to the run that reads it.
    """

    id: int
    judge: str
    first: str
    second: str
    number: int
    verdict: str | None
    end: JudgeCallEnd | None
    of_this_run: bool


@dataclass(frozen=True, slots=True)
class PromptState:
    """A prompt in a judge run: the request id of each model's answer, and all verdicts on the answers."""

    prompt_id: int
    category: str | None
    answers: Mapping[str, int]
    verdicts: tuple[StoredVerdict, ...]


@dataclass(frozen=True, slots=True)
class JudgeCall:
    """A call to make: a judge compares the answers of two models, `first` shown first."""

    judge: str
    first: str
    second: str
    number: int = 1


@dataclass(frozen=True, slots=True)
class JudgeStep:
    """The next step for one prompt.

    Attributes:
        prompt_id: The sampled prompt.
        parsed_replies: (verdict id, verdict) of the calls that have ended.
        calls: The next calls.
        state: The prompt's new state: open, settled or stopped.
        judged: The number of its pairs that are judged.
    """

    prompt_id: int
    parsed_replies: tuple[tuple[int, str], ...]
    calls: tuple[JudgeCall, ...]
    state: str
    judged: int


@dataclass(frozen=True, slots=True)
class JudgeRequest:
    """A `JudgeCall` with the body of its request; the body is None if the answers are equal."""

    prompt_id: int
    call: JudgeCall
    body: str | None
    max_tokens: int
