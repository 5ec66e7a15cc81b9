"""The deletion of prompts and answers whose time is over, and of those whose deletion broke off."""

from __future__ import annotations

import logging
import threading

from tasks.errors import UsageError
from tasks.store import deletion
from tasks.store.engine import Store
from tasks.store.isolation import isolated

logger = logging.getLogger(__name__)

#: the interval at which batches are looked for
RETENTION_S = 30.0


class Retention:
    """The rule of `[retention]`: batches that ended more than `days` ago lose their prompts and answers."""

    def __init__(self, store: Store, days: float | None, stop: threading.Event) -> None:
        self._store = store
        self._days = days
        self._stop = stop

    def apply(self) -> None:
        """Mark the batches whose time is over, then delete the texts of all marked ones."""
        if self._days is not None:
            self._mark(self._days)
        with self._store.read() as connection:
            marked = deletion.unfinished(connection)
        for batch_no in marked:
            with isolated(f"batch {batch_no}"):
                deletion.clear(self._store, batch_no, stop=self._stop.is_set)

    def _mark(self, days: float) -> None:
        with self._store.read() as connection:
            batch_ids = deletion.expired(connection, days)
        for batch_id in batch_ids:
            if self._stop.is_set():
                return
            with isolated(batch_id):
                self._mark_one(batch_id)

    def _mark_one(self, batch_id: str) -> None:
        try:
            with self._store.write() as connection:
                numbers = deletion.mark(connection, batch_id)
        except UsageError:  # a copy of it runs, or judges compare its answers: the next time
            return
        logger.info(
            "%s: its prompts and answers are deleted, with those of %d copies", batch_id, len(numbers) - 1
        )
