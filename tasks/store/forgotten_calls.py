"""Calls that the store has forgotten: it was a replica, and lacks the last transactions of the primary.

PostgreSQL confirms a commit before an asynchronous replica has it. If that replica is promoted, calls that
were begun in the last moment are not on its ledger, although they were made and will be paid for.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

from sqlalchemy import Connection, RowMapping, insert, select, tuple_, update

from tasks.store import batches, budgets
from tasks.store.engine import now_ms
from tasks.store.tables import attempt, request
from tasks.store.unlocked import deltas
from tasks.store.values import Settlement

logger = logging.getLogger(__name__)


def enter(connection: Connection, row: RowMapping, settlements: Sequence[Settlement]) -> list[Settlement]:
    """Enter calls that the ledger has no attempt of as `sent`, with what they cost reserved.

    The budget is not exceeded: what it has no room for is not entered.

    Args:
        connection: The transaction that has the batch's lock.
        row: The batch.
        settlements: Calls whose attempts are not `sent`.

    Returns:
        Those that were forgotten.
    """
    forgotten = _forgotten(connection, settlements)
    if not forgotten:
        return []
    room = max(budgets.unreserved(deltas.exact_payers(connection, row)), 0)
    sent_at = connection.execute(select(now_ms())).scalar_one()
    rows = []
    for one in forgotten:
        reserved = int(min(one.worst if one.cost is None else one.cost, room))
        room -= reserved
        rows.append(
            {
                "request_id": one.request_id,
                "number": one.number,
                "batch_no": row["no"],
                "model": one.model,
                "state": "sent",
                "reserved": reserved,
                "sent_at": sent_at,
            }
        )
    connection.execute(insert(attempt), rows)
    for one in forgotten:
        made = update(request).where(request.c.id == one.request_id).values(attempts=one.number)
        connection.execute(made)
    batches.charge(connection, row, reserved=sum(one["reserved"] for one in rows), calls=len(rows))
    logger.error("%d calls were not on the ledger: the store lacks what it had confirmed", len(rows))
    return forgotten


def _forgotten(connection: Connection, settlements: Sequence[Settlement]) -> list[Settlement]:
    """Return the calls that their requests have no attempt of; requests that are gone have none to enter."""
    keys = [(one.request_id, one.number) for one in settlements]
    query = select(attempt.c.request_id, attempt.c.number).where(
        tuple_(attempt.c.request_id, attempt.c.number).in_(keys)
    )
    entered = {tuple(found) for found in connection.execute(query)}
    missing = [one for one in settlements if (one.request_id, one.number) not in entered]
    if not missing:
        return []
    made = select(request.c.id, request.c.attempts).where(
        request.c.id.in_([one.request_id for one in missing])
    )
    attempts = dict(connection.execute(made).all())
    return [one for one in missing if attempts.get(one.request_id, one.number) < one.number]
