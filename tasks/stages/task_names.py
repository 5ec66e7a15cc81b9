"""The names of the Celery tasks, and the version of their messages."""

from __future__ import annotations

#: the version of the messages' meaning; raised when a worker of the previous version would misread one
MESSAGE_VERSION = 1
VERSION_HEADER = "waybill_message"


def task_name(stage: str) -> str:
    """Return the name of a stage's Celery task."""
    return f"waybill.{stage}"


#: the result of a dispatch task whose group the process has accepted; see `group_request`
ACCEPTED = "accepted"
#: the result of a dispatch task that found nothing to do: another worker was first, or the model has no room
NOT_TAKEN = "not taken"
