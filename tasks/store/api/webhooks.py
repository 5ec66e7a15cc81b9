"""The outbox of webhooks: ends of batches that are announced at least once, and tried for a day."""

from __future__ import annotations

import secrets
from typing import Any

from sqlalchemy import Connection, RowMapping, case, delete, insert, select, update

from tasks.store.api.tables import api_batch, webhook_event, webhook_target
from tasks.store.engine import now_ms
from tasks.store.outcomes import insert_ignoring

DAY_S = 86_400
#: how long the process that claims events has for sending them
CLAIM_S = 60
#: seconds until an event is sent again: 5, 20, 80 and so on, then always an hour
_FIRST_S, _FACTOR, _SHORT_WAITS, _MOST_S = 5, 4, 5, 3_600
_IS_DUE = webhook_event.c.delivered_at.is_(None) & (webhook_event.c.next_attempt_at <= now_ms())


def set_target(connection: Connection, owner: str, url: str, secret: str) -> None:
    """Name the target of a key, in place of the one that it had."""
    remove_target(connection, owner)
    row = {"owner": owner, "url": url, "secret": secret, "created_at": now_ms()}
    connection.execute(insert(webhook_target).values(**row))


def remove_target(connection: Connection, owner: str) -> None:
    """Announce the ends of a key's batches to it no longer."""
    connection.execute(delete(webhook_target).where(webhook_target.c.owner == owner))


def target_of(connection: Connection, owner: str) -> RowMapping | None:
    """Return the target of a key; None if it has none."""
    query = select(webhook_target).where(webhook_target.c.owner == owner)
    return connection.execute(query).mappings().one_or_none()


def announce(connection: Connection, batch_id: str, event: str) -> None:
    """Write that a batch has ended, to be sent; once for each end of it."""
    owner = connection.execute(select(api_batch.c.owner).where(api_batch.c.id == batch_id)).scalar_one()
    for of_key in [True, False] if target_of(connection, owner) else [False]:
        row = {
            "id": f"evt_{secrets.token_hex(16)}",
            "owner": owner,
            "batch_id": batch_id,
            "type": event,
            "of_key": of_key,
            "created_at": now_ms(),
            "next_attempt_at": now_ms(),
        }
        connection.execute(insert_ignoring(connection, webhook_event).values(**row))


def some_due(connection: Connection) -> bool:
    """Return whether an event is to be sent now."""
    return connection.execute(select(webhook_event.c.id).where(_IS_DUE).limit(1)).first() is not None


def claim(connection: Connection, *, limit: int) -> list[RowMapping]:
    """Take events that are due, for a while: those that nobody `delivered` in it are due again."""
    first = select(webhook_event.c.id).where(_IS_DUE).order_by(webhook_event.c.next_attempt_at).limit(limit)
    ids = list(connection.execute(first.with_for_update(skip_locked=True)).scalars())
    taken = update(webhook_event).where(webhook_event.c.id.in_(ids))
    values = {"next_attempt_at": now_ms() + CLAIM_S * 1000}
    return list(connection.execute(taken.values(**values).returning(webhook_event)).mappings())


def delivered(connection: Connection, event_id: str, status: int) -> None:
    """Note that the target has taken an event."""
    _note_attempt(connection, event_id, status, delivered_at=now_ms())


def not_delivered(connection: Connection, event_id: str, status: int | None) -> None:
    """Note the answer of a target that has not taken an event, None for no answer; it is due again later."""
    attempts = webhook_event.c.attempts
    waits = ((attempts == count, _FIRST_S * _FACTOR**count) for count in range(_SHORT_WAITS))
    wait_s = case(*waits, else_=_MOST_S)
    _note_attempt(connection, event_id, status, next_attempt_at=now_ms() + wait_s * 1000)


def _note_attempt(connection: Connection, event_id: str, status: int | None, **values: Any) -> None:
    mine = update(webhook_event).where(webhook_event.c.id == event_id)
    attempts = webhook_event.c.attempts + 1
    connection.execute(mine.values(attempts=attempts, last_status=status, **values))


def give_up(connection: Connection) -> int:
    """Remove the events that nobody has taken for a day; returns how many."""
    old = webhook_event.c.delivered_at.is_(None) & (webhook_event.c.created_at < now_ms() - DAY_S * 1000)
    return connection.execute(delete(webhook_event).where(old)).rowcount


def forget(connection: Connection, event_id: str) -> None:
    """Remove an event that has no target."""
    connection.execute(delete(webhook_event).where(webhook_event.c.id == event_id))
