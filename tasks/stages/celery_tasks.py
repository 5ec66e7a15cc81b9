"""The Celery tasks. Their arguments are two ids and they return nothing of it: Flower and logs see both."""

from __future__ import annotations

import logging
from typing import Any

from celery import Task, shared_task

from tasks import failpoints
from tasks.stages.context import worker_context
from tasks.stages.task_names import ACCEPTED, MESSAGE_VERSION, VERSION_HEADER, task_name

logger = logging.getLogger(__name__)

#: above any chunk's honest time; a stuck chunk is fenced by its epoch when another worker takes it over
TIME_LIMIT_S = 1500


def is_understood(task: Task[Any, Any]) -> bool:
    """Return whether a message of this version is for this Waybill; one without a version is of the first.

    What is dropped stays in the store, and is announced again for workers that understand it.
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
    """Bring a chunk of judged prompts forward."""
    from tasks.stages.judging.stage import judge_chunk

    judge_chunk(worker_context(), chunk_id, epoch)
    failpoints.reach("before_ack")


class _GroupTask(Task[Any, Any]):
    Request = "tasks.stages.group_request:GroupRequest"


@shared_task(name=task_name("dispatch"), base=_GroupTask, bind=True, time_limit=TIME_LIMIT_S)
def dispatch(self: Task[Any, Any], chunk_id: int, epoch: int) -> str | None:
    """Take a group of requests into this process's event loop, which calls and settles them.

    The task ends once the group is accepted, so that slow calls of one group never hold up the next; its
    end is reported to Flower when the last of its calls has ended.
    """
    if not is_understood(self):
        return None
    from tasks.stages.dispatch.process import dispatcher

    taken = dispatcher().take(chunk_id, epoch, task_id=self.request.id, hostname=self.request.hostname)
    failpoints.reach("before_ack")
    return ACCEPTED if taken else None
