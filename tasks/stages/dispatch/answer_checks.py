"""The checks of answers that were paid for, and what follows one that does not fit its request."""

from __future__ import annotations

import json
import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

from tasks.endpoints.endpoint import CHAT_PATH
from tasks.parameters.schemas import WITH_SCHEMAS
from tasks.providers.interface import Reply
from tasks.stages.dispatch.call import stored_body
from tasks.stages.dispatch.repository import CallHistory
from tasks.stages.dispatch.retry import RetryPolicy, next_model
from tasks.store.values import INVALID_ANSWER, HeldRequest, RequestResult, Requeue, Settlement
from tasks.validation.checker import AnswerChecker
from tasks.validation.endpoints import answer_of, expectation_of, with_text
from tasks.validation.values import Answer, AnswerCheck, Expectation

logger = logging.getLogger(__name__)

_NOTHING = Expectation()
#: a key of a request that may hold a schema, as it stands in a canonical body
_KEYS = tuple(f'"{key}":' for key in WITH_SCHEMAS)


class AnswerChecks:
    """The checks of one process's answers; a failure of a check keeps the answer as it is."""

    def __init__(self, policy: RetryPolicy, history: Callable[[HeldRequest], Awaitable[CallHistory]]) -> None:
        self._policy = policy
        self._history = history
        self._checker = AnswerChecker()

    async def applied(self, settlement: Settlement, request: HeldRequest, reply: Reply) -> Settlement:
        """Return the settlement of an answered call, changed by what its check found."""
        try:
            expected = expectation(request)
            return await self._applied(settlement, request, reply, expected) if expected else settlement
        except Exception as error:  # a defect of ours must not lose an answer
            logger.error("an answer could not be checked: %s", type(error).__name__)
            return settlement

    async def aclose(self) -> None:
        """End the checking process."""
        await self._checker.aclose()

    async def _applied(
        self, settlement: Settlement, request: HeldRequest, reply: Reply, expected: Expectation
    ) -> Settlement:
        answer = answer_of(reply.body, endpoint=request.endpoint)
        found = await self._checker.check(expected, answer, batch_no=request.batch_no)
        noted = with_notes(settlement, reply.body, found, endpoint=request.endpoint)
        if found.valid is not False or answer.refused:
            return noted
        if request.validate == "flag":
            return replace(noted, error_code=INVALID_ANSWER)
        step = step_after(request, answer, await self._history(request), self._policy)
        return rejected(noted, found, reply.body, step)


def expectation(request: HeldRequest) -> Expectation:
    """Return what a request demands of its answer; false where nothing is checked."""
    if request.validate == "off":
        return _NOTHING
    if not any(key in request.body for key in _KEYS):
        others = request.validators
        return expectation_of({}, endpoint=request.endpoint, validators=others) if others else _NOTHING
    body = json.loads(request.body)
    return expectation_of(body, endpoint=request.endpoint, validators=request.validators)


def with_notes(
    settlement: Settlement, body: dict[str, Any], found: AnswerCheck, *, endpoint: str = CHAT_PATH
) -> Settlement:
    """Return the settlement with the repaired answer, and with what the check found among its notes."""
    assert isinstance(settlement.next, RequestResult)
    result = settlement.next
    notes: dict[str, Any] = {} if found.valid is None else {"valid": found.valid}
    if found.reason:
        notes["invalid" if found.valid is False else "unchecked"] = found.reason
    if found.text is not None:
        notes["repaired"] = list(found.repaired)
        result = replace(result, body=stored_body(with_text(body, found.text, endpoint=endpoint)))
    return replace(settlement, next=replace(result, notes={**(result.notes or {}), **notes}))


def step_after(
    request: HeldRequest, answer: Answer, history: CallHistory, policy: RetryPolicy
) -> Requeue | None:
    """Return what follows an answer that does not fit; None where no other call is allowed.

    The same model is asked again, within its attempts, and then the best one that was not called yet. An
    answer that was cut, at the token limit or by a filter, would be cut again: the next model gets it.

    Args:
        request: The request.
        answer: Its answer.
        history: Its calls, the present one included, and the router's ranking.
        policy: How often to try.
    """
    earlier = history.earlier_at_this_model(request)
    invalid = 1 + sum(call.error_code == INVALID_ANSWER for call in earlier)
    attempts = 1 + len(earlier)
    if not answer.cut and invalid <= policy.validate_attempts and attempts < policy.attempts_per_model:
        return Requeue(0.0)
    if not request.fallback:
        return None
    return next_model(history.models, history.ranking, policy)


def rejected(
    settlement: Settlement, found: AnswerCheck, body: dict[str, Any], step: Requeue | None
) -> Settlement:
    """Return the settlement of an answer that does not fit; the answer stays with its attempt."""
    assert isinstance(settlement.next, RequestResult)
    failed = replace(
        settlement.next,
        status="failed",
        body=None,
        error_code=INVALID_ANSWER,
        error_message=f"no answer fits what the request demands; the last one: {found.reason}",
    )
    return replace(settlement, error_code=INVALID_ANSWER, answer=stored_body(body), next=step or failed)
