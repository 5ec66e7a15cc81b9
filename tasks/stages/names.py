"""The names under which Celery knows the stages."""

from __future__ import annotations


def task_name(stage: str) -> str:
    """The Celery task of a stage."""
    return f"waybill.{stage}"


#: what a dispatch task returns whose group is in the process's hands; see `group_request`
ACCEPTED = "accepted"
