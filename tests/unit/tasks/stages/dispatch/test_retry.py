"""What follows a failed attempt, as a table of cases."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.providers import ErrorKind, ModelPausedError, ProviderError, RetryableError, TerminalError
from tasks.stages.dispatch.retry import RetryPolicy, backoff_s, decide, substitute
from tasks.store.values import RequestResult, Requeue

POLICY = RetryPolicy()
RANKING = ("best", "second", "third", "fourth")
K = ErrorKind

RATE_LIMIT = RetryableError(K.RATE_LIMIT, status=429)
RATE_LIMIT_20_S = RetryableError(K.RATE_LIMIT, status=429, retry_after_s=20)
TIMEOUT = RetryableError(K.TIMEOUT, maybe_billed=True)
INVALID_REPLY = RetryableError(K.INVALID_REPLY, status=200, maybe_billed=True)
BAD_REQUEST = TerminalError(K.BAD_REQUEST, status=400)
TOO_LONG = TerminalError(K.CONTEXT_WINDOW, status=400)
BAD_KEY = ModelPausedError(K.AUTHENTICATION, status=401)


def failed(model: str, code: str, message: str, *, status: int | None = None) -> RequestResult:
    return RequestResult("failed", model=model, status_code=status, error_code=code, error_message=message)


# error, attempts on this model, models tried, what follows; the jitter is one half throughout.
CASES: list[tuple[ProviderError, int, tuple[str, ...], Requeue | RequestResult]] = [
    # Backoff doubles: half of 1 s, then half of 2 s.
    (RATE_LIMIT, 1, ("best",), Requeue(0.5)),
    (RATE_LIMIT, 2, ("best",), Requeue(1.0)),
    # Retry-After is the floor, and the jitter comes on top, lest all come back in the same instant.
    (RATE_LIMIT_20_S, 1, ("best",), Requeue(20.5)),
    # Three attempts are enough: the next best model, at once, whatever Retry-After says of this one.
    (RATE_LIMIT_20_S, 3, ("best",), Requeue(0.0, model="second")),
    # The ranking's order counts, not the order of the attempts.
    (RATE_LIMIT, 3, ("second",), Requeue(0.0, model="best")),
    (RATE_LIMIT, 3, ("best", "third"), Requeue(0.0, model="second")),
    # Three models are enough; at the last one, what costs nothing is tried for longer.
    (RATE_LIMIT, 3, ("best", "second", "third"), Requeue(2.0)),
    (
        RATE_LIMIT,
        10,
        ("best", "second", "third"),
        failed("third", "rate_limit", "rate_limit (429)", status=429),
    ),
    (TIMEOUT, 3, ("best", "second", "third"), failed("third", "timeout", "timeout")),
    # A timeout may have been paid for: two more, no further.
    (TIMEOUT, 2, ("best",), Requeue(1.0)),
    (TIMEOUT, 3, ("best",), Requeue(0.0, model="second")),
    # Garbage has been paid for: once more, then another model.
    (INVALID_REPLY, 1, ("best",), Requeue(0.5)),
    (INVALID_REPLY, 2, ("best",), Requeue(0.0, model="second")),
    # A bad request is bad everywhere.
    (BAD_REQUEST, 1, ("best",), failed("best", "bad_request", "bad_request (400)", status=400)),
    # A request too long for one model may fit another; the same one is never asked twice.
    (TOO_LONG, 1, ("best",), Requeue(0.0, model="second")),
    (
        TOO_LONG,
        1,
        ("best", "second", "third"),
        failed("third", "context_window", "context_window (400)", status=400),
    ),
    # A bad key pauses the model; a request does not wait for ever, though.
    (BAD_KEY, 1, ("best",), Requeue(60.0)),
    # An operator gets time to mend a key, but not for ever.
    (BAD_KEY, 19, ("best",), Requeue(60.0)),
    (BAD_KEY, 20, ("best",), Requeue(0.0, model="second")),
]


@pytest.mark.parametrize(("error", "attempts", "tried", "expected"), CASES)
def test_what_follows_a_failed_attempt(
    error: ProviderError, attempts: int, tried: tuple[str, ...], expected: Requeue | RequestResult
) -> None:
    following = decide(
        error, attempts_on_this_model=attempts, models_tried=tried, ranking=RANKING, policy=POLICY, u=0.5
    )
    assert following == expected


def test_a_request_for_a_named_model_is_never_sent_to_another() -> None:
    following = decide(
        TOO_LONG, attempts_on_this_model=1, models_tried=("best",), ranking=("best",), policy=POLICY, u=0.5
    )
    assert following == failed("best", "context_window", "context_window (400)", status=400)


@given(attempt=st.integers(1, 10_000), u=st.floats(0, 1, exclude_max=True))
def test_backoff_stays_within_its_cap(attempt: int, u: float) -> None:
    assert 0 <= backoff_s(attempt, POLICY, u) <= POLICY.cap_s


@given(
    error=st.sampled_from(
        [RATE_LIMIT, RATE_LIMIT_20_S, TIMEOUT, INVALID_REPLY, BAD_REQUEST, TOO_LONG, BAD_KEY]
    ),
    u=st.floats(0, 1, exclude_max=True),
)
def test_a_request_that_always_fails_ends_within_the_policy(error: ProviderError, u: float) -> None:
    tried, attempts, calls = ["best"], 1, 1
    while True:
        following = decide(
            error, attempts_on_this_model=attempts, models_tried=tried, ranking=RANKING, policy=POLICY, u=u
        )
        if isinstance(following, RequestResult):
            break
        attempts, calls = attempts + 1, calls + 1
        if following.model is not None:
            tried, attempts = [*tried, following.model], 1
    per_model = POLICY.pauses if isinstance(error, ModelPausedError) else POLICY.attempts_per_model
    assert calls <= per_model * POLICY.max_models + POLICY.attempts_last_model


@pytest.mark.parametrize(
    ("tried", "avoid", "max_models", "expected"),
    [
        ((), (), 2, "second"),
        (("best",), (), 2, "second"),
        # One that is in no better state is passed over.
        ((), ("best", "second"), 2, "third"),
        ((), RANKING, 4, None),
        # The models that a request may use are counted as after a failure.
        (("second",), (), 2, None),
        (("second",), (), 3, "third"),
        ((), (), 1, None),
    ],
)
def test_who_answers_in_place_of_a_model_that_cannot_be_reached(
    tried: tuple[str, ...], avoid: tuple[str, ...], max_models: int, expected: str | None
) -> None:
    chosen = substitute("best", models_tried=tried, ranking=RANKING, avoid=avoid, max_models=max_models)
    assert chosen == expected
