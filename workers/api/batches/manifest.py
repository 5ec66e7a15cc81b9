"""`GET /v1/batches/{id}/manifest`: what a batch came to, so that anyone can check it against its files."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import RowMapping, select
from standardwebhooks import Webhook
from starlette.responses import JSONResponse, Response

from router_core.pricing import MICROS_PER_DOLLAR
from tasks.batch_api.errors import Conflict
from tasks.store import summary
from tasks.store.api import batches as api_batches
from tasks.store.api.tables import api_file
from tasks.store.engine import Store
from tasks.webhooks.targets import secret_of
from workers.api.batches.handlers import batch_of
from workers.api.batches.objects import batch_object
from workers.api.context import Call


def batch_manifest(call: Call) -> Response:
    """Return the manifest of a batch that has ended, with the SHA-256 and the signature of the rest of it."""
    row = batch_of(call)
    if row["state"] != api_batches.ENDED or row["measured"] is None:
        raise Conflict("the manifest is there when a batch that ran has ended", code="batch_not_ended")
    content = _content(call.store, row)
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    secret = secret_of(call.context.settings)
    seals = {
        "sha256": hashlib.sha256(text.encode()).hexdigest(),
        "signature": None if secret is None else _signature(secret, content, text),
    }
    return JSONResponse({**content, **seals})


def _signature(secret: str, content: dict[str, Any], text: str) -> str:
    """Return the signature of Standard Webhooks: of the batch's id, the time of its end, and the text."""
    return str(
        Webhook(secret).sign(content["batch_id"], datetime.fromtimestamp(content["ended_at"], UTC), text)
    )


def _content(store: Store, row: RowMapping) -> dict[str, Any]:
    shown, measured = batch_object(row), row["measured"]
    with store.read() as connection:
        query = select(api_file.c.bytes, api_file.c.sha256).where(api_file.c.id == row["input_file_id"])
        source = connection.execute(query).mappings().one_or_none()
        models = summary.by_model(connection, row["run_no"])
    total = shown["request_counts"]["total"]
    files = {
        "input": {"file_id": row["input_file_id"], "lines": total, **dict(source or {})},
        "output": {"file_id": shown["output_file_id"], **measured["output"]},
        "errors": {"file_id": shown["error_file_id"], **measured["errors"]},
    }
    lines = measured["output"]["lines"] + measured["errors"]["lines"]
    return {
        "object": "batch.manifest",
        "batch_id": row["id"],
        "status": shown["status"],
        "created_at": shown["created_at"],
        "ended_at": row["ended_at"] // 1000,
        "request_counts": shown["request_counts"],
        "files": files,
        #: whether each line of the input is in one of the two files, once
        "adds_up": lines == total,
        "usage": shown["usage"],
        "cost_usd": row["run_spent"] / MICROS_PER_DOLLAR,
        "budget_usd": None if row["budget"] is None else row["budget"] / MICROS_PER_DOLLAR,
        "models": {
            one.model: {
                "requests": one.requests,
                "calls": one.calls,
                "failed_calls": one.failed_calls,
                "cost_usd": one.cost / MICROS_PER_DOLLAR,
            }
            for one in models
        },
    }
