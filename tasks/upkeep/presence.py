"""The events of an upkeep process: Flower sees it as a worker, and learns each queue's backlog."""

from __future__ import annotations

import logging
import os
import socket
from dataclasses import asdict
from typing import Any

from celery import Celery
from celery.utils.sysinfo import load_average
from celery.worker.state import SOFTWARE_INFO

from tasks.events.names import QUEUES
from tasks.store import queues
from tasks.store.engine import Store

logger = logging.getLogger(__name__)

#: seconds between two heartbeats; Flower counts a worker as offline after twice the time
HEARTBEAT_S = 5.0


class Presence:
    """The heartbeat of an upkeep process, as Celery's workers send theirs."""

    def __init__(self, app: Celery, store: Store) -> None:
        self._app, self._store = app, store
        self.hostname = f"upkeep@{socket.gethostname()}-{os.getpid()}"

    def beat(self) -> None:
        """Send a heartbeat and the backlog of the queues."""
        with self._store.read() as connection:
            found = [asdict(one) for one in queues.depths(connection)]
        self._send("worker-heartbeat", freq=HEARTBEAT_S, active=0, processed=0, loadavg=load_average(),
                   **SOFTWARE_INFO)  # fmt: skip
        self._send(QUEUES, queues=found)

    def leave(self) -> None:
        """Say that this process ends; never fails."""
        try:
            self._send("worker-offline", freq=HEARTBEAT_S)
        except Exception as error:  # without the event, its heartbeat runs out
            logger.info("no event: %s", type(error).__name__)

    def _send(self, kind: str, **fields: Any) -> None:
        with self._app.events.default_dispatcher(hostname=self.hostname) as events:
            events.send(kind, **fields)
