"""A batch of a file that was uploaded: its creation, and the server's check of its lines, which follows."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import Any, Final
from uuid import uuid4

from tasks.errors import UsageError
from workers.backends.server.connection import Connection, NotThere
from workers.backends.server.progress import refused_text
from workers.backends.stopping import MAY_EXIST, SubmissionStopped, begin
from workers.errors import ServerError

#: what a server makes of a batch that it does not finish in time: its requests end as expired
_WINDOW: Final = "7d"
#: how long a submission waits before it asks how the check went, seconds; a large file is checked meanwhile
_POLLS_S: Final = (0.2, 0.3, 0.5, 1.0, 2.0, 3.0, 3.0)


def create(server: Connection, file_id: str, endpoint: str, metadata: dict[str, str]) -> dict[str, Any]:
    """Create a batch and return it; one that is refused leaves no file.

    Raises:
        UsageError: The server refuses it, at once or, as far as it soon says so, for its lines.
    """
    try:
        batch = _created(server, file_id, endpoint, metadata)
        if refused := _refusal(server, batch):
            raise UsageError(refused)
    except (UsageError, SubmissionStopped):
        # The reason of the refusal matters more than a file that stays.
        with suppress(UsageError, ServerError):
            delete_file(server, file_id)
        raise
    except (ServerError, KeyboardInterrupt) as error:
        error.add_note(MAY_EXIST)
        raise
    return batch


def delete_file(server: Connection, file_id: str) -> None:
    """Delete a file, if it is still there."""
    with suppress(NotThere):
        server.call("DELETE", f"/files/{file_id}")


def _created(server: Connection, file_id: str, endpoint: str, metadata: dict[str, str]) -> dict[str, Any]:
    body = {
        "input_file_id": file_id,
        "endpoint": endpoint,
        "completion_window": _WINDOW,
        "metadata": metadata,
    }
    begin()
    created: dict[str, Any] = server.post("/batches", json=body, headers={"idempotency-key": uuid4().hex})
    return created


def _refusal(server: Connection, batch: dict[str, Any]) -> str:
    """Wait a moment for the check of the lines; return why they are refused, "" if not or not known yet."""
    for pause_s in _POLLS_S:
        if batch["status"] != "validating":
            break
        time.sleep(pause_s)
        try:
            batch = server.call("GET", f"/batches/{batch['id']}", repeats=False)
        except (UsageError, ServerError):
            return ""  # the batch exists, and a look that fails tells nothing of its lines
    return refused_text(batch) if batch["status"] == "failed" else ""
