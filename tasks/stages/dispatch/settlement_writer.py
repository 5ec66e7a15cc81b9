"""The settler: ends of calls are written in batches, and written again until the store has taken them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlalchemy.exc import SQLAlchemyError

from tasks import failpoints
from tasks.store import ledger
from tasks.store.engine import Store
from tasks.store.values import RequestResult, Requeue, Settlement

logger = logging.getLogger(__name__)

#: ends written by one transaction, how long the first waits for others, and the pause while the store is down
TOGETHER = 128
GATHER_S = 0.02
DOWN_S = 1.0


@dataclass(frozen=True, slots=True)
class RequestEnd:
    """The end of a request's turn in this process: a settled call, or what follows where none was made."""

    batch_no: int
    chunk_id: int
    request_id: int
    settlement: Settlement | None = None
    unsent: RequestResult | Requeue | None = None


class SettlementWriter:
    """Collects ends and writes them; `on_written` hears of each."""

    def __init__(self, store: Store, owner: str, on_written: Callable[[RequestEnd], None]) -> None:
        self._store = store
        self._owner = owner
        self._on_written = on_written
        self._ends: asyncio.Queue[RequestEnd] = asyncio.Queue()

    def add(self, end: RequestEnd) -> None:
        """Queue an end."""
        self._ends.put_nowait(end)

    async def idle(self) -> None:
        """Wait until everything queued is written."""
        await self._ends.join()

    async def run(self) -> None:
        """Write ends until cancelled."""
        while True:
            ends = [await self._ends.get()]
            await asyncio.sleep(GATHER_S)
            while len(ends) < TOGETHER and not self._ends.empty():
                ends.append(self._ends.get_nowait())
            for batch_no in {end.batch_no for end in ends}:
                await self._write(batch_no, [end for end in ends if end.batch_no == batch_no])

    async def _write(self, batch_no: int, ends: Sequence[RequestEnd]) -> None:
        while True:
            try:
                await asyncio.to_thread(self._write_once, batch_no, ends)
                break
            except SQLAlchemyError as error:
                # A COMMIT whose reply was lost is safe to repeat: settled attempts are no longer `sent`.
                logger.warning("settlements wait: %s", type(error).__name__)
                await asyncio.sleep(DOWN_S)
        for end in ends:
            self._on_written(end)
            self._ends.task_done()

    def _write_once(self, batch_no: int, ends: Sequence[RequestEnd]) -> None:
        # A transaction each: both lock chunks in their order, and together in none; see `chunks.lock`.
        if settlements := [end.settlement for end in ends if end.settlement is not None]:
            with self._store.write() as connection:
                ledger.settle(connection, batch_no, settlements)
        if unsent := [(end.request_id, end.unsent) for end in ends if end.unsent is not None]:
            with self._store.write() as connection:
                ledger.end_without_call(connection, batch_no, unsent, owner=self._owner)
        failpoints.reach("after_settle")
