"""The names under which Celery knows the stages."""

from __future__ import annotations

#: of what messages mean; raised when a worker of the version before would misread one
MESSAGE_VERSION = 1
VERSION_HEADER = "waybill_message"


def task_name(stage: str) -> str:
    """Return the Celery task of a stage."""
    return f"waybill.{stage}"


#: what a dispatch task returns whose group is in the process's hands; see `group_request`
ACCEPTED = "accepted"
