"""The writing of settlements to the store, several in one transaction, repeated until it commits.

One whose values the store refuses holds up no other: it is replaced by a failure that says so.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence

from sqlalchemy.exc import NoResultFound

from tasks import failpoints
from tasks.connections.services import is_of_values
from tasks.stages.dispatch.defects import substitutes
from tasks.stages.dispatch.repository import DispatchRepository
from tasks.store import ledger
from tasks.store.engine import Store
from tasks.store.values import Settlement

logger = logging.getLogger(__name__)

#: Settlements in one transaction, how long the first waits for others, and the pause while the store is down.
MAX_TOGETHER = 128
GATHER_S = 0.02
DOWN_S = 1.0


class SettlementWriter:
    """A queue of settlements and the loop that writes them.

    `on_written` is called with each, `on_added` with the number of a batch to which a delta was added.
    """

    def __init__(
        self,
        store: Store,
        owner: str,
        on_written: Callable[[Settlement], None],
        on_added: Callable[[int], None] = lambda _: None,
    ) -> None:
        self._store = store
        self._owner = owner
        self._repository = DispatchRepository(store, owner)
        self._on_written = on_written
        self._on_added = on_added
        self._queue: asyncio.Queue[Settlement] = asyncio.Queue()

    def add(self, settlement: Settlement) -> None:
        """Queue a settlement."""
        self._queue.put_nowait(settlement)

    async def idle(self) -> None:
        """Wait until everything queued is written."""
        await self._queue.join()

    async def run(self) -> None:
        """Write settlements until cancelled."""
        while True:
            settlements = [await self._queue.get()]
            await asyncio.sleep(GATHER_S)
            while len(settlements) < MAX_TOGETHER and not self._queue.empty():
                settlements.append(self._queue.get_nowait())
            for batch_no in {one.batch_no for one in settlements}:
                await self._write(batch_no, [one for one in settlements if one.batch_no == batch_no])

    async def _write(self, batch_no: int, settlements: Sequence[Settlement]) -> None:
        """Write settlements: all together, or each by itself where the store refuses the values of any."""
        try:
            await self._until_written(batch_no, settlements)
        except Exception as error:
            if len(settlements) > 1:
                for one in settlements:
                    await self._write(batch_no, [one])
                return
            settlements = [await self._write_substitute(batch_no, settlements[0], error)]
        for settlement in settlements:
            self._on_written(settlement)
            self._queue.task_done()

    async def _write_substitute(self, batch_no: int, settlement: Settlement, error: Exception) -> Settlement:
        """Write what the store takes in place of a settlement; returns it."""
        logger.error("the store refused a result of batch %d: %s", batch_no, type(error).__name__)
        for substitute in substitutes(settlement, error):
            try:
                await self._until_written(batch_no, [substitute])
                return substitute
            except Exception as again:
                error = again
        raise error

    async def _until_written(self, batch_no: int, settlements: Sequence[Settlement]) -> None:
        """Write settlements, as often as it takes.

        Raises:
            Exception: The store refuses their values.
        """
        while True:
            try:
                if await asyncio.to_thread(self._write_once, batch_no, settlements):
                    self._on_added(batch_no)
                return
            except NoResultFound:
                # A replica that had not received the batch was promoted: there is nothing to write to.
                logger.error("%d results are of a batch that is not in the store", len(settlements))
                return
            except Exception as error:
                if is_of_values(error):
                    raise
                # A COMMIT whose reply was lost is safe to repeat: settled attempts are no longer `sent`.
                logger.warning("settlements wait: %s", type(error).__name__)
                await asyncio.sleep(DOWN_S)

    def _write_once(self, batch_no: int, settlements: Sequence[Settlement]) -> bool:
        """Write settlements; returns whether a delta was added to their batch."""
        is_added = False
        # A transaction each: both lock chunks in their order, and together in none; see `chunks.lock`.
        if called := [one for one in settlements if one.number]:
            is_added = self._repository.settle(batch_no, called)
        if not_called := [one for one in settlements if not one.number]:
            with self._store.write() as connection:
                ledger.end_without_call(connection, batch_no, not_called, owner=self._owner)
        failpoints.reach("after_settle")
        return is_added
