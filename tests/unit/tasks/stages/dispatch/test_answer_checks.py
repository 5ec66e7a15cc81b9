"""What follows an answer that does not fit, as a table of cases."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from tasks.stages.dispatch.answer_checks import expectation, step_after
from tasks.stages.dispatch.repository import CallHistory
from tasks.stages.dispatch.retry import RetryPolicy
from tasks.store.values import Call, HeldRequest, Requeue
from tasks.validation.values import Answer

RANKING = ("best", "second", "third")
BAD, TIMEOUT = "invalid_answer", "timeout"


def held(model_attempts: int = 0, **fields: Any) -> HeldRequest:
    named = {"body": "{}", **fields}
    request = HeldRequest(1, "id", "{}", 2, 1, None, "best", model_attempts, model_attempts, 1, 1)
    return request._replace(**named)


#: the earlier calls, those of them that are of the present streak, the answer's cut, and what follows
CASES: list[tuple[Sequence[tuple[str, str]], int, str, Requeue | None]] = [
    ([], 0, "", Requeue(0.0)),
    ([("best", BAD)], 1, "", Requeue(0.0, model="second")),
    ([("best", TIMEOUT)], 1, "", Requeue(0.0)),
    # a model has three attempts in all
    ([("best", TIMEOUT), ("best", TIMEOUT)], 2, "", Requeue(0.0, model="second")),
    # the next model has attempts of its own
    ([("best", BAD), ("best", BAD)], 0, "", Requeue(0.0)),
    # three models are enough
    ([("best", BAD), ("second", BAD), ("third", BAD)], 1, "", None),
    # what was cut would be cut again
    ([], 0, "length", Requeue(0.0, model="second")),
    ([], 0, "content_filter", Requeue(0.0, model="second")),
]


@pytest.mark.parametrize(("earlier", "streak", "cut", "follows"), CASES)
def test_what_follows_an_answer_that_does_not_fit(
    earlier: Sequence[tuple[str, str]], streak: int, cut: Any, follows: Requeue | None
) -> None:
    present = "second" if earlier and not streak else earlier[-1][0] if earlier else "best"
    history = CallHistory([*(Call(*one) for one in earlier), Call(present, None)], RANKING)
    assert step_after(held(streak), Answer("x", cut=cut), history, RetryPolicy()) == follows


def test_without_fallback_no_other_model_is_asked() -> None:
    history = CallHistory([Call("best", BAD), Call("best", None)], RANKING)
    assert step_after(held(1, fallback=False), Answer("x"), history, RetryPolicy()) is None


def test_no_more_attempts_at_a_model_is_a_choice() -> None:
    history = CallHistory([Call("best", None)], RANKING)
    policy = RetryPolicy(validate_attempts=0)
    assert step_after(held(), Answer("x"), history, policy) == Requeue(0.0, model="second")


def test_a_plain_request_demands_nothing_and_is_not_parsed() -> None:
    assert not expectation(held(body='{"messages": not JSON', validate="retry"))
    assert not expectation(held(body='{"response_format":{"type":"json_object"}}'))
    assert expectation(held(body='{"response_format":{"type":"json_object"}}', validate="flag"))
    assert expectation(held(validate="flag", validators=("json",)))
