"""`GET /v1/batches/{id}/progress`: how far a batch is, what it has spent, and what holds it up."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from sqlalchemy import Connection, RowMapping
from starlette.responses import JSONResponse, Response

from tasks.store.progress import snapshot
from workers.api.batches.handlers import batch_of
from workers.api.batches.objects import batch_object
from workers.api.context import Call
from workers.views.batch_report import read_exhausted
from workers.views.owners import for_owner


def batch_progress(call: Call) -> Response:
    """Return the batch, its progress, and what it lacked of its budget; no progress before its check."""
    row = batch_of(call)
    with call.store.read() as connection:
        progress, exhausted = _progress(connection, call, row)
    return JSONResponse({"batch": batch_object(row), "progress": progress, "exhausted": exhausted})


def _progress(connection: Connection, call: Call, row: RowMapping) -> tuple[dict[str, Any] | None, str]:
    if row["run_no"] is None:
        return None, ""
    state = snapshot(connection, row["id"], call.context.wait_rules)
    exhausted, _ = read_exhausted(connection, state)
    return asdict(for_owner(state, call.key.models)), exhausted
