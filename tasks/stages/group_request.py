"""How a Celery worker treats the message of a dispatch group: as accepted, not as done."""

from __future__ import annotations

from typing import Any

from celery.worker.request import Request

from tasks.stages.task_names import ACCEPTED


class GroupRequest(Request):
    """Says nothing of a group's success when it was merely accepted: its calls are still to be made.

    Raising Ignore would do the same, at the price of two tracebacks a group.
    """

    def send_event(self, type: str, **fields: Any) -> None:
        """Send an event to Flower, but none that takes acceptance for success."""
        if type != "task-succeeded" or fields.get("result") != repr(ACCEPTED):
            super().send_event(type, **fields)
