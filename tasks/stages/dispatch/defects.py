"""What is written of a call that a defect keeps from being made, or whose result it keeps from the store."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from tasks.providers.errors import ErrorKind, InternalError
from tasks.settings import ModelSettings
from tasks.stages.dispatch import call
from tasks.stages.dispatch.repository import CallHistory
from tasks.stages.dispatch.retry import RetryPolicy
from tasks.store.values import Call, HeldRequest, RequestResult, Settlement


def settlement_of_defect(
    request: HeldRequest, model: ModelSettings, error: BaseException, *, latency_s: float
) -> Settlement:
    """Return the settlement of a call whose result is not known: charged in full, and not made again."""
    return call.settlement_of_error(
        request,
        InternalError(type(error).__name__, maybe_billed=True),
        model,
        history=CallHistory([Call(model.name, None)], ()),
        latency_s=latency_s,
        policy=RetryPolicy(),
    )


def without_call(requests: Iterable[HeldRequest], model: ModelSettings) -> list[Settlement]:
    """Return the settlements of those requests whose calls cannot be prepared: they end without one.

    A body may have been damaged in the store, or be of an endpoint that only a newer Waybill knows.
    """
    found = []
    for request in requests:
        try:
            call.reservation_for(request, model)
            call.tokens_of(request, model)
        except Exception as error:
            result = _failure(model.name, str(InternalError(type(error).__name__)))
            found.append(call.settlement_without_call(request, result))
    return found


def substitutes(settlement: Settlement, error: Exception) -> Iterator[Settlement]:
    """Yield what may be stored instead: the result without the figures of its call, then a failure.

    Without figures, a call is charged in full, as one whose cost is unknown.

    Args:
        settlement: What the store refused.
        error: What it refused it with; only its class is named, since its text quotes values.
    """
    if settlement.number:
        settlement = replace(
            settlement,
            cost=None,
            is_bill=False,
            status_code=None,
            prompt_tokens=None,
            completion_tokens=None,
            usage=None,
            latency_ms=None,
        )
        yield settlement
    result = _failure(settlement.model, f"the store refused its result: {type(error).__name__}")
    state = "failed" if settlement.number else ""
    yield replace(settlement, state=state, error_code=result.error_code, answer=None, next=result)


def _failure(model: str, message: str) -> RequestResult:
    code = ErrorKind.INTERNAL.value
    return RequestResult("failed", model=model or None, error_code=code, error_message=message)
