"""The events of a dispatch process: what it holds, and the end of each group. Ids, counts and codes only.

Celery cannot know either: to Celery, a group's task ended when the process accepted it.
"""

from __future__ import annotations

import logging
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import Any

from celery import Celery

from tasks.events.names import EVERY_S, GROUPS
from tasks.stages.dispatch.held_groups import HeldGroup, HeldGroups

logger = logging.getLogger(__name__)

#: reports that wait for Redis; more are dropped
MAX_REPORTS = 1000


class GroupReports:
    """The events of one dispatch process, sent by a thread: while Redis hangs, they hold up no call."""

    def __init__(self, app: Celery) -> None:
        self._app = app
        self._sender = ThreadPoolExecutor(1, thread_name_prefix="events")
        self._lock = threading.Lock()
        self._waiting = 0
        self._hostname: str | None = None
        self._told = 0

    def ended(self, group: HeldGroup) -> None:
        """Report the end of a group."""
        self._submit(group.hostname, *_end_of(group))

    def watch(self, groups: HeldGroups, hostname: str) -> None:
        """Report from now on how many groups are held; further calls change nothing."""
        with self._lock:
            if self._hostname is not None:
                return
            self._hostname = hostname
        threading.Thread(target=self._tell, args=(groups, hostname), name="held groups", daemon=True).start()

    def _tell(self, groups: HeldGroups, hostname: str) -> None:
        never = threading.Event()
        while not never.wait(EVERY_S):
            held = len(groups)
            if held or self._told:
                self._submit(hostname, GROUPS, {"groups": held})
            self._told = held

    def _submit(self, hostname: str, kind: str, fields: dict[str, Any]) -> None:
        with self._lock:
            if self._waiting >= MAX_REPORTS:
                return
            self._waiting += 1
        with suppress(RuntimeError):  # the interpreter is ending
            self._sender.submit(self._send, hostname, kind, fields).add_done_callback(self._sent)

    def _send(self, hostname: str, kind: str, fields: dict[str, Any]) -> None:
        try:
            with self._app.events.default_dispatcher(hostname=hostname) as events:
                events.send(kind, **fields)
        except Exception as error:  # a lost event changes nothing: the store is the record
            logger.info("no event: %s", type(error).__name__)

    def _sent(self, _: Future[None]) -> None:
        with self._lock:
            self._waiting -= 1


def _end_of(group: HeldGroup) -> tuple[str, dict[str, Any]]:
    """Return the event of a group's end: a group with errors has failed, as far as Flower is concerned."""
    common = {"uuid": group.task_id, "runtime": group.runtime_s}
    failure = group.failure()
    if failure is None:
        return "task-succeeded", {**common, "result": f"{group.calls} calls"}
    return "task-failed", {**common, "exception": failure, "traceback": ""}
