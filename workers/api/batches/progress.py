"""`GET /v1/batches/{id}/progress`: how far a batch is, what it has spent, and what holds it up."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from sqlalchemy import Connection, RowMapping
from starlette.responses import JSONResponse, Response

from tasks.store.health.redis_refusals import A_WORKER
from tasks.store.health.silent_redis import ASK_OPERATOR
from tasks.store.progress import snapshot
from workers.api.batches.handlers import batch_of
from workers.api.batches.objects import batch_object
from workers.api.context import Call
from workers.views.batch_report import read_exhausted


def batch_progress(call: Call) -> Response:
    """Return the batch, its progress, and what it lacked of its budget; no progress before its check."""
    row = batch_of(call)
    with call.store.read() as connection:
        progress, exhausted = _progress(connection, call, row)
    return JSONResponse({"batch": batch_object(row), "progress": progress, "exhausted": exhausted})


def _progress(connection: Connection, call: Call, row: RowMapping) -> tuple[dict[str, Any] | None, str]:
    if row["run_no"] is None:
        return None, ""
    state, models = snapshot(connection, row["id"], call.context.wait_rules), call.key.models
    exhausted, _ = read_exhausted(connection, state)
    shown = asdict(state)
    # Where Redis is, and whom it refuses, is for operators; of models that the key may not use, nothing.
    shown["silent_redis"] = state.silent_redis and ASK_OPERATOR
    shown["refused_workers"] = state.refused_workers and [A_WORKER]
    for name in ("paused", "waits"):
        shown[name] = [one for one in shown[name] if models is None or one["model"] in {None, *models}]
    return shown, exhausted
