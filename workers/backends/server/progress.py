"""The progress of a batch as a server says it (`GET /v1/batches/{id}/progress`)."""

from __future__ import annotations

import time
from dataclasses import MISSING, fields
from typing import Any

from tasks.errors import UsageError
from tasks.store.batch_progress import PausedModel, Progress
from tasks.store.health.model_errors import ModelError
from tasks.store.health.waits import Wait

_OPTIONAL = {field.name for field in fields(Progress) if field.default is not MISSING}


def progress_of(answer: dict[str, Any]) -> Progress:
    """Return the progress in an answer; what a server of another version says beside it is left out.

    Raises:
        UsageError: The batch was refused, because of its file or of a limit.
    """
    batch, state = answer["batch"], answer["progress"]
    if batch["status"] == "failed":
        raise UsageError(refused_text(batch))
    if state is None:
        return _not_begun(batch)
    known = {field.name: state[field.name] for field in fields(Progress) if field.name in state}
    known["paused"] = tuple(PausedModel(**one) for one in state.get("paused", ()))
    known["errors"] = tuple(ModelError(**one) for one in state.get("errors", ()))
    known["waits"] = tuple(Wait(**one) for one in state.get("waits", ()))
    known["refused_workers"] = tuple(state.get("refused_workers", ()))
    known["missing_roles"] = tuple(state.get("missing_roles", ()))
    return Progress(**known)


def refused_text(batch: dict[str, Any]) -> str:
    """Return why a server refused a batch, with the first of its errors."""
    errors = (batch["errors"] or {}).get("data", ())
    reasons = "; ".join(
        f"line {one['line']}: {one['message']}" if one.get("line") else one["message"] for one in errors[:3]
    )
    return f"{batch['id']} was refused: {reasons}{'; …' if len(errors) > 3 else ''}"


def _not_begun(batch: dict[str, Any]) -> Progress:
    """Return the progress of a batch whose file is being checked, or that ended before."""
    ended = batch["status"] in ("cancelled", "expired")
    ended_at = batch["cancelled_at"] or batch["expired_at"] or batch["created_at"]
    counts = {field.name: 0 for field in fields(Progress) if field.name not in _OPTIONAL}
    return Progress(**{
        **counts,
        "batch_id": batch["id"],
        "source": "",
        "status": "cancelled" if ended else batch["status"],
        "route_only": False,
        "budget": None,
        "created_at": batch["created_at"] * 1000,
        "finished_at": ended_at * 1000 if ended else None,
        "elapsed_s": max(0.0, time.time() - batch["created_at"]),
    })  # fmt: skip
