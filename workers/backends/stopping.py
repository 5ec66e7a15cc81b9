"""Stopping a submission that runs in a thread: whoever awaits it says so, and its next line is not read."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from tasks.submission.source import BatchInput, Item
from workers.errors import WorkersError

#: said where it is not known whether a batch was created
MAY_EXIST = "the batch may have been created all the same: `Waybill.batches` shows it"


class Stop(threading.Event):
    """Stops a submission once it is set.

    `has_begun`: a batch may have been created; `batch_id` is its id, None where an API server gives it one.
    """

    has_begun: bool = False
    batch_id: str | None = None


_stop: ContextVar[Stop | None] = ContextVar("stop", default=None)


class SubmissionStopped(WorkersError):
    """Nobody waits for the submission any more."""


@contextmanager
def stopped_by(event: Stop) -> Iterator[None]:
    """Let an event stop the submissions that begin in this block, those in threads of `to_thread` too."""
    token = _stop.set(event)
    try:
        yield
    finally:
        _stop.reset(token)


def begin(batch_id: str | None = None) -> None:
    """Say before a batch is created that it may be there from now on; raises SubmissionStopped if stopped.

    In this order, so that whoever stops it and looks then knows of every batch that is created.
    """
    if (stop := _stop.get()) is not None:
        stop.has_begun, stop.batch_id = True, batch_id
    refuse_stopped()


def refuse_stopped() -> None:
    """Raise SubmissionStopped if this submission was stopped."""
    event = _stop.get()
    if event is not None and event.is_set():
        raise SubmissionStopped("the submission was cancelled")


def until_stopped(items: Iterable[Item]) -> Iterable[Item]:
    """Return the lines, whose reading raises SubmissionStopped once the submission was stopped.

    As with `items`, an iterator can be read only once, anything else again and again.
    """

    def read() -> Iterator[Item]:
        refuse_stopped()
        for item in items:
            refuse_stopped()
            yield item
        refuse_stopped()

    return read() if iter(items) is items else BatchInput(read)
