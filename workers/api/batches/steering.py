"""What a client changes of a batch: pause, resume, budget, retry. These paths are Waybill's own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import Connection
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, Response

from tasks.batch_api import steering
from tasks.batch_api.errors import ApiError, Conflict
from tasks.errors import UsageError
from tasks.money.budgets import required_budget
from tasks.store.api import batches as api_batches
from workers.api.batches.handlers import batch_of
from workers.api.batches.objects import batch_object
from workers.api.context import Call
from workers.api.door.json_body import json_body

_BUDGET = "budget_usd"


def pause_batch(call: Call) -> Response:
    """Begin nothing of a batch until it is resumed."""
    return _changed(call, lambda connection, batch_id: _pause(connection, call, batch_id))


def resume_batch(call: Call) -> Response:
    """Let a paused batch go on."""
    return _changed(call, lambda connection, batch_id: _resume(connection, call, batch_id))


async def set_budget(call: Call) -> Response:
    """Set all that a running batch may spend."""
    budget = _budget(await json_body(call.request))
    if budget is None:
        raise ApiError(f"{_BUDGET} is missing", code="missing_required_parameter", param=_BUDGET)

    def change(connection: Connection, batch_id: str) -> Mapping[str, Any]:
        steering.set_budget(connection, call.key, batch_id, call.key.id, budget)
        return {}

    return await run_in_threadpool(_changed, call, change)


async def retry_batch(call: Call) -> Response:
    """Send again what failed or was cancelled; `retried` says how many requests."""
    budget = _budget(await json_body(call.request))

    def change(connection: Connection, batch_id: str) -> Mapping[str, Any]:
        return {"retried": steering.retry(connection, call.key, batch_id, call.key.id, budget)}

    return await run_in_threadpool(_changed, call, change)


def _pause(connection: Connection, call: Call, batch_id: str) -> Mapping[str, Any]:
    steering.pause(connection, call.key, batch_id, call.key.id)
    return {}


def _resume(connection: Connection, call: Call, batch_id: str) -> Mapping[str, Any]:
    steering.resume(connection, call.key, batch_id, call.key.id)
    return {}


def _changed(call: Call, change: Callable[[Connection, str], Mapping[str, Any]]) -> Response:
    """Change a batch and return it, with what the change says; raises Conflict where its state forbids it."""
    row = batch_of(call)
    if row["run_no"] is None:
        raise Conflict("its file has not been checked yet, or was refused: no request of it is stored")
    batch_id = str(row["id"])
    try:
        with call.store.write() as connection:
            said = change(connection, batch_id)
            row = api_batches.by_id(connection, batch_id)
    except UsageError as error:
        raise Conflict(str(error)) from None
    return JSONResponse({**batch_object(row), **said})


def _budget(body: Mapping[str, Any]) -> int | None:
    """Return the micro-dollars that a body names, if it does; raises ApiError for another value."""
    value = body.get(_BUDGET)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ApiError(f"{_BUDGET} is of the wrong type", code="invalid_type", param=_BUDGET)
    try:
        return required_budget(value)
    except UsageError as error:
        raise ApiError(str(error), param=_BUDGET) from None
