"""What to do after a failed attempt: a pure decision; the store keeps the time of the next attempt."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from tasks.providers.errors import ErrorKind, ModelPausedError, ProviderError, RetryableError, TerminalError


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often and how patiently a request is tried; times in seconds."""

    attempts_per_model: int = 3
    #: where no other model may take over, as long as the calls fail unbilled
    attempts_last_model: int = 10
    max_models: int = 3
    base_s: float = 1.0
    cap_s: float = 60.0
    #: how long a model rests after a refusal that only the operator can mend
    pause_s: float = 60.0
    #: how many such rests a request sits out before it goes elsewhere
    pauses: int = 20
    #: calls repeated after one whose outcome nobody knows: each may be paid for without an answer
    unknown_resends: int = 2
    #: calls repeated after a reply that was billed but unusable
    garbage_resends: int = 1


@dataclass(frozen=True, slots=True)
class Retry:
    """Call the same model again, no earlier than `after_s` from now."""

    after_s: float


@dataclass(frozen=True, slots=True)
class NextModel:
    """Call this model instead, at once."""

    name: str


@dataclass(frozen=True, slots=True)
class PauseModel:
    """Call nothing on this model for `after_s`, then try this request on it again."""

    after_s: float


@dataclass(frozen=True, slots=True)
class Fail:
    """The request failed: `code` for programs, `reason` for people; neither holds a provider's text."""

    code: str
    reason: str


RetryDecision = Retry | NextModel | PauseModel | Fail


def decide(
    error: ProviderError,
    *,
    attempts_on_this_model: int,
    models_tried: Sequence[str],
    ranking: Sequence[str],
    policy: RetryPolicy,
    u: float,
) -> RetryDecision:
    """Return the next step for a request whose last attempt ended in `error`.

    `attempts_on_this_model` counts that attempt; `models_tried` names every model called so far, the present
    one included; `ranking` is the router's, best first; `u` in [0, 1) is the jitter.
    """
    if isinstance(error, TerminalError):
        return _other_model(error, models_tried, ranking, policy) if error.try_other_model else _fail(error)
    if attempts_on_this_model >= _attempts_allowed(error, policy):
        verdict = _other_model(error, models_tried, ranking, policy)
        if isinstance(verdict, NextModel) or attempts_on_this_model >= _attempts_at_last(error, policy):
            return verdict
    if isinstance(error, ModelPausedError):
        return PauseModel(policy.pause_s)
    return Retry((error.retry_after_s or 0.0) + backoff_s(attempts_on_this_model, policy, u))


def backoff_s(attempt: int, policy: RetryPolicy, u: float) -> float:
    """Exponential backoff with full jitter: uniform in [0, min(cap, base * 2^(attempt-1))).

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
    """Return the best model that may answer in place of one that nobody can reach now; None: the request waits.

    avoid: models that are in no better state.
    """
    if len({model, *models_tried}) >= max_models:
        return None
    return next((name for name in ranking if name not in {model, *models_tried, *avoid}), None)


def _attempts_at_last(error: ProviderError, policy: RetryPolicy) -> int:
    """Waiting for a provider costs time; calls that may be billed cost money as well."""
    unbilled = isinstance(error, RetryableError) and not error.maybe_billed
    return max(policy.attempts_last_model, policy.attempts_per_model) if unbilled else 0


def _attempts_allowed(error: ProviderError, policy: RetryPolicy) -> int:
    if isinstance(error, ModelPausedError):
        return policy.pauses
    if error.kind is ErrorKind.INVALID_REPLY:
        return min(policy.attempts_per_model, 1 + policy.garbage_resends)
    if error.maybe_billed:
        return min(policy.attempts_per_model, 1 + policy.unknown_resends)
    return policy.attempts_per_model


def _other_model(
    error: ProviderError, models_tried: Sequence[str], ranking: Sequence[str], policy: RetryPolicy
) -> NextModel | Fail:
    untried = (name for name in ranking if name not in models_tried)
    following = next(untried, None) if len(set(models_tried)) < policy.max_models else None
    return _fail(error) if following is None else NextModel(following)


def _fail(error: ProviderError) -> Fail:
    return Fail(code=error.kind.value, reason=str(error))
