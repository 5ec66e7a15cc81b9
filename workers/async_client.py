"""The Python API for `await`: the methods of `Waybill` and `Batch`, each in a thread of its own.

>>> from waybill import AsyncWaybill
>>> async with AsyncWaybill() as waybill:
...     batch = await waybill.submit(["What is 2 + 2?", "Name a prime."], budget=1.00)
...     await batch.wait()
...     async for record in batch.results():
...         print(record.custom_id, record.body)
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from functools import wraps
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Any, Concatenate, ParamSpec, Self, TypeVar

from tasks.formats.results import ResultRecord
from tasks.settings import Settings
from tasks.store.batch_progress import Progress
from tasks.submission.sender import name_batch
from workers.backends.stopping import MAY_EXIST, Stop, stopped_by
from workers.batch import Batch
from workers.client import Waybill
from workers.user_warnings import warned_here
from workers.waiting.display import progress_display
from workers.waiting.wait import Wait, going_on

P = ParamSpec("P")
T = TypeVar("T")

#: results that are read at a time
_PAGE = 500


def _of_batch(
    method: Callable[Concatenate[Batch, P], T],
) -> Callable[Concatenate[AsyncBatch, P], Coroutine[Any, Any, T]]:
    """Return a method of a batch as one that is awaited."""

    @wraps(method)
    async def run(self: AsyncBatch, /, *args: P.args, **options: P.kwargs) -> T:
        with warned_here():
            return await asyncio.to_thread(method, self.batch, *args, **options)

    return run


class AsyncBatch:
    """A submitted batch; its methods are those of `Batch`."""

    def __init__(self, batch: Batch) -> None:
        self.batch = batch
        self.id = batch.id

    status = _of_batch(Batch.status)
    """As `Batch.status`, awaited."""
    input_errors = _of_batch(Batch.input_errors)
    """As `Batch.input_errors`, awaited."""
    to_pandas = _of_batch(Batch.to_pandas)
    """As `Batch.to_pandas`, awaited."""
    cancel = _of_batch(Batch.cancel)
    """As `Batch.cancel`, awaited."""
    pause = _of_batch(Batch.pause)
    """As `Batch.pause`, awaited."""
    resume = _of_batch(Batch.resume)
    """As `Batch.resume`, awaited."""
    set_budget = _of_batch(Batch.set_budget)
    """As `Batch.set_budget`, awaited."""
    retry = _of_batch(Batch.retry)
    """As `Batch.retry`, awaited."""
    delete_data = _of_batch(Batch.delete_data)
    """As `Batch.delete_data`, awaited."""

    async def wait(self, *, progress: bool = True, timeout: float | None = None) -> Progress:
        """Wait until the batch has ended, as `Batch.wait` does; other tasks go on meanwhile."""
        with progress_display(progress, self.batch.told) as show, going_on(self.id):
            waiting = Wait(show, timeout)
            while not waiting.sees(state := await self.status()):
                await asyncio.sleep(self.batch.poll_s)
        Wait.warn_of_budget(state, await asyncio.to_thread(self.batch.exhausted_text, state))
        return state

    async def results(self, *, failed: bool | None = None) -> AsyncIterator[ResultRecord]:
        """Yield the results as `Batch.results` does, which are read some at a time."""
        records = self.batch.results(failed=failed)
        while page := await asyncio.to_thread(lambda: list(islice(records, _PAGE))):
            for record in page:
                yield record

    def __repr__(self) -> str:
        return f"AsyncBatch({self.id!r})"


def _of_client(
    method: Callable[Concatenate[Waybill, P], T],
) -> Callable[Concatenate[AsyncWaybill, P], Coroutine[Any, Any, T]]:
    """Return a method of a client as one that is awaited."""

    @wraps(method)
    async def run(self: AsyncWaybill, /, *args: P.args, **options: P.kwargs) -> T:
        with warned_here():
            return await asyncio.to_thread(method, self.client, *args, **options)

    return run


def _to_batch(
    method: Callable[Concatenate[Waybill, P], Batch],
) -> Callable[Concatenate[AsyncWaybill, P], Coroutine[Any, Any, AsyncBatch]]:
    """Return a method of a client that returns a batch as one that is awaited; cancelling it stops it."""

    @wraps(method)
    async def run(self: AsyncWaybill, /, *args: P.args, **options: P.kwargs) -> AsyncBatch:
        stop = Stop()
        with stopped_by(stop), warned_here():
            try:
                return AsyncBatch(await asyncio.to_thread(method, self.client, *args, **options))
            except asyncio.CancelledError as error:
                stop.set()
                if stop.batch_id is not None:
                    name_batch(error, stop.batch_id)
                elif stop.has_begun:
                    error.add_note(MAY_EXIST)
                raise

    return run


class AsyncWaybill:
    """A connection to batches as `Waybill` has one; its methods are the same, to be awaited."""

    def __init__(
        self, config: Path | str | None = None, *, url: str | None = None, key: str | None = None
    ) -> None:
        """Open the store that the settings name, or speak to an API server: see `Waybill`."""
        self.client = Waybill(config, url=url, key=key)

    submit = _to_batch(Waybill.submit)
    """As `Waybill.submit`, awaited."""
    batch = _to_batch(Waybill.batch)
    """As `Waybill.batch`, awaited."""
    estimate = _of_client(Waybill.estimate)
    """As `Waybill.estimate`, awaited."""
    batches = _of_client(Waybill.batches)
    """As `Waybill.batches`, awaited."""
    close = _of_client(Waybill.close)
    """As `Waybill.close`, awaited."""

    @property
    def settings(self) -> Settings:
        """The settings, where the store is opened here."""
        return self.client.settings

    def __repr__(self) -> str:
        return f"Async{self.client!r}"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()
