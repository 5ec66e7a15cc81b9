"""The writing of a process's counters to the store, by a thread that nothing waits for."""

from __future__ import annotations

import logging
import threading

from sqlalchemy.exc import SQLAlchemyError

from tasks.monitoring.counters import COUNTERS, Counters
from tasks.store import process_counters
from tasks.store.engine import Store

logger = logging.getLogger(__name__)

#: how often counts are written; what was counted since is lost when the process is killed
EVERY_S = 10.0


class CounterWriter:
    """The writer of one process, whose name is unique among all processes that ever were."""

    def __init__(
        self,
        store: Store,
        process: str,
        role: str,
        *,
        counters: Counters = COUNTERS,
    ) -> None:
        self._store, self._process, self._role = store, process, role
        self._counters = counters

    def write(self) -> None:
        """Write what was counted since the last time; it is kept where the store is down."""
        counted = self._counters.take()
        if not counted:
            return
        try:
            process_counters.add(self._store, self._process, self._role, counted)
        except SQLAlchemyError as error:
            self._counters.put_back(counted)
            logger.info("counters wait: %s", type(error).__name__)

    def start(self) -> None:
        """Write from now on, in a thread."""
        threading.Thread(target=self._run, name="counters", daemon=True).start()

    def _run(self) -> None:
        never = threading.Event()
        while True:
            self.write()
            never.wait(EVERY_S)
