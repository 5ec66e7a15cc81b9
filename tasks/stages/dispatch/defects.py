"""What is written of a call that a defect keeps from being made, or whose result it keeps from the store."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from tasks.providers.errors import ErrorKind, InternalError
from tasks.settings import ModelSettings
from tasks.stages.dispatch.call import reservation_for, settlement_without_call, tokens_of
from tasks.store.values import HeldRequest, RequestResult, Settlement


def settlement_of_defect(request: HeldRequest, model: ModelSettings, error: Exception) -> Settlement:
    """Return the settlement of a call whose result is not known: charged in full, and not made again."""
    call = reservation_for(request, model)
    result = _result_of(error)
    return Settlement(
        batch_no=request.batch_no,
        chunk_id=request.chunk_id,
        request_id=request.id,
        number=call.number,
        model=model.name,
        state="failed",
        cost=None,
        worst=call.worst,
        next=replace(result, model=model.name),
        error_code=result.error_code,
    )


def without_call(requests: Iterable[HeldRequest], model: ModelSettings) -> list[Settlement]:
    """Return the settlements of those requests whose calls cannot be prepared: they end without one.

    A body may have been damaged in the store, or be of an endpoint that only a newer Waybill knows.
    """
    found = []
    for request in requests:
        try:
            reservation_for(request, model)
            tokens_of(request, model)
        except Exception as error:
            found.append(settlement_without_call(request, _result_of(error)))
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
    result = _failure(f"the store refused its result: {type(error).__name__}")
    state = "failed" if settlement.number else ""
    yield replace(settlement, state=state, error_code=result.error_code, answer=None, next=result)


def _result_of(error: Exception) -> RequestResult:
    return _failure(str(InternalError(type(error).__name__)))


def _failure(message: str) -> RequestResult:
    return RequestResult("failed", error_code=ErrorKind.INTERNAL.value, error_message=message)
