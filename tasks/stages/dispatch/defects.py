"""What is written of a call where a defect of ours keeps its result from being told, or from being stored."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from tasks.providers.errors import ErrorKind, InternalError
from tasks.settings import ModelSettings
from tasks.stages.dispatch.call import reservation_for
from tasks.store.values import HeldRequest, RequestResult, Settlement


def settlement_of_defect(request: HeldRequest, model: ModelSettings, error: Exception) -> Settlement:
    """Return the settlement of a call whose result is not known: charged in full, and not made again."""
    call = reservation_for(request, model)
    result = _failure(str(InternalError(type(error).__name__)))
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


def _failure(message: str) -> RequestResult:
    return RequestResult("failed", error_code=ErrorKind.INTERNAL.value, error_message=message)
