"""The errors of calls by model and code: counted in the store for people, and in the log once a minute."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace

from sqlalchemy.exc import SQLAlchemyError

from tasks.providers.errors import ProviderError
from tasks.stages.dispatch.repository import DispatchRepository
from tasks.store.health.model_errors import FailedCalls

logger = logging.getLogger(__name__)

#: how often what was counted goes to the store
EVERY_S = 1.0
#: how often a model and a code are logged at most
LOG_EVERY_S = 60.0


class ErrorLog:
    """The errors of one process: what it has counted and not yet written, and what it has logged when."""

    def __init__(
        self, repository: DispatchRepository, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._repository, self._clock = repository, clock
        self._failed: dict[tuple[int, str, str], FailedCalls] = {}
        self._unlogged: Counter[tuple[str, str]] = Counter()
        self._logged_at: dict[tuple[str, str], float] = {}

    def note(self, batch_no: int, model: str, error: ProviderError) -> None:
        """Count a failed call, and log it where its model and code were not logged in the last minute."""
        self._add(FailedCalls(batch_no, model, error.kind.value, 1, str(error)))
        self._log(model, error)

    async def run(self) -> None:
        """Write what was counted, until cancelled."""
        while True:
            await asyncio.sleep(EVERY_S)
            await self.write()

    async def write(self) -> None:
        """Write what was counted; while the store is down, it stays for the next time."""
        failed, self._failed = list(self._failed.values()), {}
        if not failed:
            return
        try:
            await asyncio.to_thread(self._repository.add_errors, failed)
        except SQLAlchemyError as error:
            logger.warning("counts of failed calls wait: %s", type(error).__name__)
            for one in failed:
                self._add(one)

    def _add(self, one: FailedCalls) -> None:
        key = (one.batch_no, one.model, one.code)
        before = self._failed.get(key)
        self._failed[key] = one if before is None else replace(one, calls=before.calls + one.calls)

    def _log(self, model: str, error: ProviderError) -> None:
        key = (model, error.kind.value)
        self._unlogged[key] += 1
        now = self._clock()
        if now - self._logged_at.get(key, -math.inf) >= LOG_EVERY_S:
            self._logged_at[key] = now
            calls = self._unlogged.pop(key)
            logger.warning("%s: %d failed call%s, the last: %s", model, calls, "s" * (calls > 1), error)
