"""The folding of what this process's settlements have added to batches, soon after they are written."""

from __future__ import annotations

import asyncio
import logging

from sqlalchemy.exc import SQLAlchemyError

from tasks.stages.dispatch.repository import DispatchRepository
from tasks.store.isolation import isolated

logger = logging.getLogger(__name__)

#: pause between two rounds: a batch ends, and money comes back, at most so much later
FOLD_S = 0.2
#: and while the store is down
DOWN_S = 1.0


class DeltaFolder:
    """The batches with deltas of this process, and the loop that folds them."""

    def __init__(self, repository: DispatchRepository) -> None:
        self._repository = repository
        self._batch_nos: set[int] = set()
        self._noted = asyncio.Event()

    def note(self, batch_no: int) -> None:
        """Note that a delta was added to a batch."""
        self._batch_nos.add(batch_no)
        self._noted.set()

    async def run(self) -> None:
        """Fold until cancelled."""
        while True:
            await self._noted.wait()
            self._noted.clear()
            await self.fold()
            await asyncio.sleep(FOLD_S)

    async def fold(self) -> None:
        """Fold once what was noted; a batch that another process has locked comes again next time."""
        noted, self._batch_nos = self._batch_nos, set()
        for batch_no in noted:
            is_folded = True  # what is broken is not tried again here
            try:
                with isolated(f"batch {batch_no}"):
                    is_folded = await asyncio.to_thread(self._repository.fold, batch_no)
            except SQLAlchemyError as error:
                logger.warning("counters of batch %d wait: %s", batch_no, type(error).__name__)
                is_folded = False
                await asyncio.sleep(DOWN_S)
            if not is_folded:
                self.note(batch_no)
