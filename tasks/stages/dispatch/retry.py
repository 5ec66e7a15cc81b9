"""The retry policy: a pure function of the error and the attempts so far."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from tasks.providers.errors import (
    ErrorKind,
    InternalError,
    ModelPausedError,
    ProviderError,
    RetryableError,
    TerminalError,
)
from tasks.store.values import PROVIDER_ERROR, RequestResult, Requeue


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """The limits of a request's attempts, and the waits between them in seconds."""

    attempts_per_model: int = 3
    #: where no other model may answer, as long as the failed calls are not billed
    attempts_last_model: int = 10
    max_models: int = 3
    base_s: float = 1.0
    cap_s: float = 60.0
    #: how long a model is paused after an error that only the operator can mend
    pause_s: float = 60.0
    #: how many such pauses a request waits for before it goes to another model
    pauses: int = 20
    #: repeats of a call whose outcome is unknown: each may be paid for without an answer
    unknown_resends: int = 2
    #: repeats of a call whose reply was billed but unusable
    invalid_reply_resends: int = 1
    #: repeats of a call whose answer does not fit what the request demands
    validate_attempts: int = 1


def decide(
    error: ProviderError,
    *,
    attempts_on_this_model: int,
    models_tried: Sequence[str],
    ranking: Sequence[str],
    policy: RetryPolicy,
    u: float,
) -> Requeue | RequestResult:
    """Return what follows for a request whose last attempt ended in `error`.

    Args:
        error: The error of the last attempt.
        attempts_on_this_model: The attempts at the present model, the last one included.
        models_tried: The model of every call so far, in order; the last is the present one.
        ranking: The router's ranking of models, the best first.
        policy: How often and how long to try.
        u: The jitter, in [0, 1).
    """
    if isinstance(error, InternalError):
        return _failure(error, models_tried[-1])
    if isinstance(error, TerminalError):
        if error.try_other_model:
            return next_model(models_tried, ranking, policy) or _failure(error, models_tried[-1])
        return _failure(error, models_tried[-1])
    if attempts_on_this_model >= _attempts_allowed(error, policy):
        next_step = next_model(models_tried, ranking, policy)
        if next_step is not None:
            return next_step
        if attempts_on_this_model >= _attempts_at_last(error, policy):
            return _failure(error, models_tried[-1])
    if isinstance(error, ModelPausedError):
        return Requeue(policy.pause_s)
    return Requeue((error.retry_after_s or 0.0) + backoff_s(attempts_on_this_model, policy, u))


def backoff_s(attempt: int, policy: RetryPolicy, u: float) -> float:
    """Return the pause of exponential backoff with full jitter, in seconds.

    It is uniform in [0, min(cap, base * 2^(attempt-1))).

    Source: Exponential Backoff And Jitter, AWS Architecture Blog, 2015.
    """
    # An exponent beyond 63 only ever meets the cap, and would overflow a float.
    return u * min(policy.cap_s, policy.base_s * 2.0 ** min(attempt - 1, 63))


def substitute(
    model: str,
    *,
    models_tried: Sequence[str],
    ranking: Sequence[str],
    avoid: Collection[str],
    max_models: int,
) -> str | None:
    """Return the best model to answer in place of one that cannot be reached; None: the request waits.

    Args:
        model: The model that cannot be reached.
        models_tried: The models that the request was sent to so far.
        ranking: The router's ranking of models, the best first.
        avoid: Models that cannot be reached either.
        max_models: How many models a request may be sent to in all.
    """
    if len({model, *models_tried}) >= max_models:
        return None
    return next((name for name in ranking if name not in {model, *models_tried, *avoid}), None)


def _attempts_at_last(error: ProviderError, policy: RetryPolicy) -> int:
    """Return the attempts allowed at the last model: more only while failed calls are not billed."""
    unbilled = isinstance(error, RetryableError) and not error.maybe_billed
    return max(policy.attempts_last_model, policy.attempts_per_model) if unbilled else 0


def _attempts_allowed(error: ProviderError, policy: RetryPolicy) -> int:
    if isinstance(error, ModelPausedError):
        return policy.pauses
    if error.kind is ErrorKind.INVALID_REPLY:
        return min(policy.attempts_per_model, 1 + policy.invalid_reply_resends)
    if error.maybe_billed:
        return min(policy.attempts_per_model, 1 + policy.unknown_resends)
    return policy.attempts_per_model


def next_model(models_tried: Sequence[str], ranking: Sequence[str], policy: RetryPolicy) -> Requeue | None:
    """Return a try at the best model that was not called yet; None where none is left."""
    untried = (name for name in ranking if name not in models_tried)
    name = next(untried, None) if len(set(models_tried)) < policy.max_models else None
    return None if name is None else Requeue(0.0, model=name)


def _failure(error: ProviderError, model: str) -> RequestResult:
    """Return the result of a request that failed; neither code nor message holds a provider's text."""
    return RequestResult(
        "failed",
        model=model,
        status_code=error.status,
        error_code=error.kind.value,
        error_message=str(error),
        notes={PROVIDER_ERROR: error.objection} if error.objection else None,
    )
