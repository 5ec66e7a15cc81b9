"""The end of batches: those whose time is over, and those whose requests have all ended."""

from __future__ import annotations

import logging

from sqlalchemy import Connection, RowMapping

from tasks.batch_api.output import EXPIRED, EXPIRED_MESSAGE, OutputFile, measure
from tasks.connections.services import is_of_values
from tasks.store import control
from tasks.store.api import audit, endings, files
from tasks.store.api import batches as api_batches
from tasks.store.engine import Store
from tasks.store.isolation import isolated
from tasks.store.renewal import renewed
from tasks.store.values import RequestResult

logger = logging.getLogger(__name__)

_MANY = 100
_EXPIRED = RequestResult("cancelled", error_code=EXPIRED, error_message=EXPIRED_MESSAGE)
#: how long another process waits for the files of a batch of whose process it hears nothing
MEASURE_S = 600.0


def expire_overdue(store: Store) -> int:
    """End the batches whose time is over: what is not answered ends unpaid; returns how many there were."""
    with store.read() as connection:
        rows = endings.overdue(connection, _MANY)
    for row in rows:
        with isolated(row["id"]):
            _expire(store, row["id"])
    return len(rows)


def _expire(store: Store, batch_id: str) -> None:
    with store.write() as connection:
        is_unstored = endings.end_unstored(connection, batch_id, expired=True)
        if not is_unstored and not _has_ended(connection, batch_id):
            control.cancel(connection, batch_id, result=_EXPIRED)
            endings.set_expired(connection, batch_id)
    logger.info("%s has expired", batch_id)


def end_finished(store: Store, *, max_bytes: int | None = None) -> bool:
    """Measure the files of a batch whose requests have all ended, and end it; False if there is none.

    Args:
        store: The store.
        max_bytes: Only a batch whose input file is at most this large.
    """
    with store.read() as connection:
        if not endings.some_finished(connection):
            return False
    with store.write() as connection:
        row = endings.claim_finished(connection, lease_s=MEASURE_S, max_bytes=max_bytes)
    if row is None:
        return False

    def renew(connection: Connection) -> None:
        endings.renew(connection, row["id"], row["fence"], lease_s=MEASURE_S)

    try:
        with renewed(store, renew, MEASURE_S, warn=_warn):
            measured = measure(store, row)
    except Exception as error:
        if not is_of_values(error):  # else it would be the next one again, before all others
            with store.write() as connection:
                endings.release(connection, row["id"], row["fence"])
        raise
    with store.write() as connection:
        if endings.set_measured(connection, row["id"], row["fence"], measured):
            _keep_files(connection, api_batches.by_id(connection, row["id"]))
    return True


def _warn(error: str) -> None:
    logger.warning("a lease waits: %s", error)


def cancel(connection: Connection, row: RowMapping) -> None:
    """Cancel a batch of the API, in whatever state it is; one that has ended stays as it is."""
    if not endings.end_unstored(connection, row["id"], expired=False):
        if _has_ended(connection, row["id"]):
            return
        control.cancel(connection, row["id"])
        if not endings.set_cancelling(connection, row["id"]):
            return
    audit.note(connection, "batch.cancel", row["id"], owner=row["owner"])


def _has_ended(connection: Connection, batch_id: str) -> bool:
    """Return whether nothing of a batch changes any more, by now: another request may have ended it."""
    return api_batches.by_id(connection, batch_id)["state"] in api_batches.FINAL


def _keep_files(connection: Connection, row: RowMapping) -> None:
    """List the output and error files of a measured batch, as far as they hold a line."""
    for file in (OutputFile(row, is_errors=False), OutputFile(row, is_errors=True)):
        if file.size:
            files.create(
                connection,
                id=file.id,
                owner=row["owner"],
                purpose="batch_output",
                filename=file.name,
                bytes=file.size,
                sha256=row["measured"]["errors" if file.is_errors else "output"]["sha256"],
                batch_id=row["id"],
                expires_after=row["output_expires_after"],
            )
