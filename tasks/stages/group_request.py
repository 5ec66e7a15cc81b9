"""The Celery request of a dispatch group, which is accepted but not done when its task returns."""

from __future__ import annotations

from typing import Any

from celery.worker.request import Request

from tasks.stages.task_names import ACCEPTED


class GroupRequest(Request):
    """A request that sends no success event for a group that was only accepted: its calls are still to come.

    Raising Celery's Ignore would have the same effect, but costs two tracebacks per group.
    """

    def send_event(self, type: str, **fields: Any) -> None:
        """Send an event, unless it reports the acceptance as success."""
        if type != "task-succeeded" or fields.get("result") != repr(ACCEPTED):
            super().send_event(type, **fields)
