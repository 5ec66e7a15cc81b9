"""Frozen values between the judge stage and the store."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

#: what ended a call that no later call of the run can do better
STOPPED_BY = frozenset({"budget_exceeded", "batch_cancelled"})


@dataclass(frozen=True, slots=True)
class CallEnd:
    """How a judge's call ended: `reply` is the chat completion, None where it failed with `error_code`."""

    reply: str | None
    error_code: str | None


@dataclass(frozen=True, slots=True)
class StoredVerdict:
    """A verdict, or the call that is to bring it: then `said` is None; `end`: how it ended, if it did.

    mine: whether it belongs to the run that looks at it.
    """

    id: int
    judge: str
    first: str
    second: str
    number: int
    said: str | None
    end: CallEnd | None
    mine: bool


@dataclass(frozen=True, slots=True)
class PromptState:
    """A prompt in a run of judges: the requests of its answers by model, and all verdicts on them."""

    prompt_id: int
    category: str | None
    answers: Mapping[str, int]
    verdicts: tuple[StoredVerdict, ...]


@dataclass(frozen=True, slots=True)
class JudgeCall:
    """A judge is to be asked about the answers of two models, `first` shown first."""

    judge: str
    first: str
    second: str
    number: int = 1


@dataclass(frozen=True, slots=True)
class Step:
    """What follows for one prompt.

    heard: (verdict id, what was said) of calls that have ended. state: open, settled or stopped.
    judged: how many of its pairs are judged by now.
    """

    prompt_id: int
    heard: tuple[tuple[int, str], ...]
    asks: tuple[JudgeCall, ...]
    state: str
    judged: int


@dataclass(frozen=True, slots=True)
class JudgeRequest:
    """An `Ask` as the store takes it: the request's body, or None where the answers are equal."""

    prompt_id: int
    ask: JudgeCall
    body: str | None
    max_tokens: int
