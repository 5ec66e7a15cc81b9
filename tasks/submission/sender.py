"""The heartbeat of a submission, and what is said where it is interrupted."""

from __future__ import annotations

import threading
from types import TracebackType
from typing import Self

from sqlalchemy.exc import SQLAlchemyError

from tasks.errors import NotResumed, StaleWork, UnknownBatch, UsageError
from tasks.formats.errors import FormatError
from tasks.store import batches
from tasks.store.engine import Store
from tasks.store.health import senders, workers

#: errors after which nobody is to send the rest: the batch is cancelled, or another process sends it
_ENDED = (StaleWork, UsageError, FormatError)


class Sender:
    """A context manager around a submission: while it lasts, the store knows that its sender is alive.

    An exception leaves the batch as it is; its attribute `batch_id` and a note name it. The rule for such a
    batch: nothing of it is lost or called twice, `submit(…, resume=…)` sends the rest, `resume` lets it go on
    with the lines that it holds, and `cancel` ends it.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._batch_id: str | None = None
        self._stop = threading.Event()
        self._has_other = False

    def follows(self, batch_id: str) -> None:
        """Note before the first heartbeat whether another process sends this batch: if so, it may go on."""
        with self._store.read() as connection:
            self._has_other = bool(senders.is_alive(connection, batch_id))

    def begins(self, batch_id: str) -> None:
        """Note that lines of this batch are stored from now on."""
        if self._batch_id is None:
            self._batch_id = batch_id
            threading.Thread(target=self._beat, args=(batch_id,), name="sender", daemon=True).start()

    def ends(self) -> None:
        """Note that the last line is stored."""
        self._stop.set()
        self._batch_id = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        if error is None or self._batch_id is None:
            return
        if isinstance(error, NotResumed):
            if not self._has_other:
                self._gone(self._batch_id)
        elif not isinstance(error, _ENDED) and self._is_stored(self._batch_id):
            name_batch(error, self._batch_id)
            self._gone(self._batch_id)

    def _is_stored(self, batch_id: str) -> bool:
        """Return whether the batch is there: its first lines are stored in one transaction or not at all."""
        try:
            with self._store.read() as connection:
                batches.find(connection, batch_id)
        except UnknownBatch:
            return False
        except SQLAlchemyError:  # it may be
            return True
        return True

    def _gone(self, batch_id: str) -> None:
        try:
            with self._store.write() as connection:
                senders.gone(connection, batch_id)
        except SQLAlchemyError:  # the silence will tell
            pass

    def _beat(self, batch_id: str) -> None:
        while not self._stop.wait(workers.BEAT_S):
            try:
                with self._store.write() as connection:
                    if not self._stop.is_set():
                        senders.beat(connection, batch_id)
            except SQLAlchemyError:
                pass


def name_batch(error: BaseException, batch_id: str) -> None:
    """Name the batch that an exception leaves, in its note and as its attribute `batch_id`."""
    error.add_note(
        f"{batch_id} holds the lines that were sent so far: submit(…, resume={batch_id!r}) "
        "sends the rest of the same prompts, its resume() goes on with those lines, cancel() ends it"
    )
    error.batch_id = batch_id  # type: ignore[attr-defined]
