"""Files as OpenAI's clients read them."""

from __future__ import annotations

from typing import Any

from sqlalchemy import RowMapping

from tasks.batch_api.output import OutputFile


def seconds(ms: int | None) -> int | None:
    """Return a time in whole seconds since 1970."""
    return None if ms is None else ms // 1000


def file_object(row: RowMapping) -> dict[str, Any]:
    """Return a file of the table."""
    return {
        "id": row["id"],
        "object": "file",
        "bytes": row["bytes"],
        "created_at": seconds(row["created_at"]),
        "expires_at": seconds(row["expires_at"]),
        "filename": row["filename"],
        "purpose": row["purpose"],
        "status": "processed",
        "status_details": None,
    }


def running_file_object(file: OutputFile, size: int) -> dict[str, Any]:
    """Return a file of a batch that runs, and has had this size at least."""
    return {
        "id": file.id,
        "object": "file",
        "bytes": size,
        "created_at": seconds(file.row["in_progress_at"]),
        "expires_at": None,
        "filename": file.name,
        "purpose": "batch_output",
        "status": "processed",
        "status_details": None,
    }
