"""Batches of the API of which no request is stored: they failed their check, or have not passed it yet."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Connection, select

from tasks.store.api.tables import api_batch

_SHOWN = 3
_WHY = {
    "validating": "is a batch of the API whose file is being checked: ask again in a moment",
    "cancelled": "is a batch of the API that was cancelled before its file was checked",
}


def why_without_requests(connection: Connection, meant: ColumnElement[bool]) -> str | None:
    """Return why the only batch of the API that is meant has no requests; None if there is none.

    Only codes and lines are named: messages may hold what a user wrote.
    """
    query = select(api_batch.c.id, api_batch.c.state, api_batch.c.errors).where(meant).limit(2)
    found = connection.execute(query).all()
    if len(found) != 1:
        return None
    batch_id, state, errors = found[0]
    if state == "failed":
        return f"{batch_id} is a batch of the API that failed: {_errors_text(errors or [], batch_id)}"
    return f"{batch_id} {_WHY[state]}" if state in _WHY else None


def _errors_text(errors: list[dict[str, Any]], batch_id: str) -> str:
    lines = len({one["line"] for one in errors if one.get("line")})
    counted = [f"{lines:,} {'line is' if lines == 1 else 'lines are'} not valid"] if lines else []
    shown = ", ".join(map(_error_text, errors[:_SHOWN])) + (", …" if len(errors) > _SHOWN else "")
    return f"{'; '.join([*counted, shown])} (see the page, or GET /v1/batches/{batch_id})"


def _error_text(error: dict[str, Any]) -> str:
    return f"line {error['line']}: {error['code']}" if error.get("line") else str(error["code"])
