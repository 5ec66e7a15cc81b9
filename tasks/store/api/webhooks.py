"""The outbox of webhooks: ends of batches that are announced at least once, and tried for a day."""

from __future__ import annotations

import secrets

from sqlalchemy import Connection, RowMapping, delete, insert, select, update

from tasks.store.api.tables import api_batch, webhook_event, webhook_target
from tasks.store.engine import now_ms
from tasks.store.outcomes import insert_ignoring

DAY_S = 86_400
_FIRST_S, _MOST_S, _FACTOR = 5, 3_600, 4
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
    """Take events that are due; each comes again later and later, unless `delivered` or `give_up` ends it."""
    first = select(webhook_event.c.id).where(_IS_DUE).order_by(webhook_event.c.next_attempt_at).limit(limit)
    ids = list(connection.execute(first.with_for_update(skip_locked=True)).scalars())
    query = select(webhook_event).where(webhook_event.c.id.in_(ids))
    rows = list(connection.execute(query).mappings())
    for row in rows:
        wait_s = min(_FIRST_S * _FACTOR ** min(row["attempts"], 10), _MOST_S)
        values = {"attempts": row["attempts"] + 1, "next_attempt_at": now_ms() + wait_s * 1000}
        connection.execute(update(webhook_event).where(webhook_event.c.id == row["id"]).values(**values))
    return rows


def delivered(connection: Connection, event_id: str, status: int) -> None:
    """Note that the target has taken an event."""
    mine = update(webhook_event).where(webhook_event.c.id == event_id)
    connection.execute(mine.values(delivered_at=now_ms(), last_status=status))


def not_delivered(connection: Connection, event_id: str, status: int | None) -> None:
    """Note the answer of a target that has not taken an event; None for no answer."""
    connection.execute(update(webhook_event).where(webhook_event.c.id == event_id).values(last_status=status))


def give_up(connection: Connection) -> int:
    """Remove the events that nobody has taken for a day; returns how many."""
    old = webhook_event.c.delivered_at.is_(None) & (webhook_event.c.created_at < now_ms() - DAY_S * 1000)
    return connection.execute(delete(webhook_event).where(old)).rowcount


def forget(connection: Connection, event_id: str) -> None:
    """Remove an event that has no target."""
    connection.execute(delete(webhook_event).where(webhook_event.c.id == event_id))
