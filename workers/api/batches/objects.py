"""Batches as OpenAI's clients read them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import RowMapping

from tasks.batch_api.output import OutputFile
from tasks.store.api.batches import CANCELLED, ENDED, FAILED, RUNNING
from tasks.store.batches import FINISHED
from tasks.store.line_counts import line_counts
from workers.api.files.objects import seconds


def batch_object(row: RowMapping) -> dict[str, Any]:
    """Return a batch of the table, with what its requests have come to."""
    status = status_of(row)
    ended = seconds(row["ended_at"])
    output, errors = OutputFile(row, is_errors=False), OutputFile(row, is_errors=True)
    return {
        "id": row["id"],
        "object": "batch",
        "endpoint": row["endpoint"],
        "model": (row["measured"] or {}).get("model"),
        "errors": _errors(row["errors"]),
        "input_file_id": row["input_file_id"],
        "completion_window": row["completion_window"],
        "status": status,
        "output_file_id": output.id if output.has_lines else None,
        "error_file_id": errors.id if errors.has_lines else None,
        "created_at": seconds(row["created_at"]),
        "in_progress_at": seconds(row["in_progress_at"]),
        "expires_at": seconds(row["expires_at"]),
        "finalizing_at": seconds(row["run_finished_at"]) if row["cancelling_at"] is None else None,
        "completed_at": ended if status == "completed" else None,
        "failed_at": ended if status == "failed" else None,
        "expired_at": seconds(row["expired_at"]),
        "cancelling_at": seconds(row["cancelling_at"]),
        "cancelled_at": ended if status == "cancelled" else None,
        "request_counts": line_counts(row, "run_"),
        "usage": _usage(row["measured"]),
        "metadata": row["pairs"],
    }


def status_of(row: Mapping[Any, Any]) -> str:
    """Return where a batch is in its life: OpenAI's word for it."""
    state, run = row["state"], row["run_status"]
    if state in (FAILED, CANCELLED):
        return str(state)
    if state == ENDED:
        return _end(row)
    if row["expired_at"] is not None or (row["errors"] and run is not None):
        return "finalizing"
    if run in ("cancelling", "cancelled"):
        return "cancelling"
    if state == RUNNING and run in FINISHED:
        return "finalizing"
    return "validating" if run is None else "in_progress"


def _end(row: Mapping[Any, Any]) -> str:
    if row["errors"]:  # its file could not be read to the end
        return "failed"
    if row["expired_at"] is not None:
        return "expired"
    return "cancelled" if row["run_status"] == "cancelled" else "completed"


def _errors(errors: list[dict[str, Any]] | None) -> dict[str, Any] | None:
    return None if errors is None else {"object": "list", "data": errors}


def _usage(measured: dict[str, Any] | None) -> dict[str, Any] | None:
    if measured is None:
        return None
    used = measured["usage"]
    return {
        "input_tokens": used["input"],
        "input_tokens_details": {"cached_tokens": used["cached_input"] + used["cached_audio_input"]},
        "output_tokens": used["output"],
        "output_tokens_details": {"reasoning_tokens": used["reasoning"]},
        "total_tokens": used["input"] + used["output"],
    }
