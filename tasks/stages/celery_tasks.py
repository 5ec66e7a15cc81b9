"""The Celery tasks. Arguments and results are visible in Flower and logs, so they hold nothing but ids."""

from __future__ import annotations

import logging
from typing import Any

from celery import Task, shared_task

from tasks import failpoints
from tasks.stages.context import worker_context
from tasks.stages.task_names import ACCEPTED, MESSAGE_VERSION, NOT_TAKEN, VERSION_HEADER, task_name

logger = logging.getLogger(__name__)

#: longer than any chunk normally takes; a worker that is stuck for longer is fenced by the chunk's epoch
TIME_LIMIT_S = 1500


def is_understood(task: Task[Any, Any]) -> bool:
    """Return whether this Waybill can read the task's message; a message without a version has version 1.

    A dropped message's work stays in the store, and is announced again for workers that can read it.
    """
    version = (task.request.headers or {}).get(VERSION_HEADER, 1)
    if version == MESSAGE_VERSION:
        return True
    known = version if isinstance(version, int) else type(version).__name__
    logger.warning("dropped a message of version %s; this Waybill reads version %d", known, MESSAGE_VERSION)
    return False


@shared_task(name=task_name("embed"), bind=True, time_limit=TIME_LIMIT_S)
def embed(self: Task[Any, Any], chunk_id: int, epoch: int) -> None:
    """Embed a chunk."""
    if not is_understood(self):
        return
    from tasks.stages.embed import embed_chunk  # torch: only in the process that embeds

    embed_chunk(worker_context(), chunk_id, epoch)
    failpoints.reach("before_ack")


@shared_task(name=task_name("route"), bind=True, time_limit=TIME_LIMIT_S)
def route(self: Task[Any, Any], chunk_id: int, epoch: int) -> None:
    """Route a chunk."""
    if not is_understood(self):
        return
    from tasks.stages.route import route_chunk

    route_chunk(worker_context(), chunk_id, epoch)
    failpoints.reach("before_ack")


@shared_task(name=task_name("judge"), time_limit=TIME_LIMIT_S)
def judge(chunk_id: int, epoch: int) -> None:
    """Make the next step for the prompts of a judge run's chunk."""
    from tasks.stages.judging.stage import judge_chunk

    judge_chunk(worker_context(), chunk_id, epoch)
    failpoints.reach("before_ack")


class _GroupTask(Task[Any, Any]):
    Request = "tasks.stages.group_request:GroupRequest"


@shared_task(name=task_name("dispatch"), base=_GroupTask, bind=True, time_limit=TIME_LIMIT_S)
def dispatch(self: Task[Any, Any], chunk_id: int, epoch: int) -> str | None:
    """Hand a group of requests to this process's event loop, which makes and settles the calls.

    The task ends as soon as the group is accepted, so that slow calls do not delay the next group. Flower
    gets the event for the task's end when the last call has ended.
    """
    if not is_understood(self):
        return None
    from tasks.stages.dispatch.process import dispatcher

    is_accepted = dispatcher().take(chunk_id, epoch, task_id=self.request.id, hostname=self.request.hostname)
    failpoints.reach("before_ack")
    return ACCEPTED if is_accepted else NOT_TAKEN
