"""Sessions of browsers: who has a cookie may see what its key may see, until it expires or the key ends."""

from __future__ import annotations

from sqlalchemy import Connection, and_, delete, insert, or_, select

from tasks.store.api import keys
from tasks.store.api.keys import Key
from tasks.store.api.tables import api_key
from tasks.store.engine import now_ms
from tasks.store.page.tables import page_session


def begin(connection: Connection, token_hash: str, key_id: str, secret_hash: str, *, lasts_s: float) -> None:
    """Store a session of a key, and forget those that have expired."""
    connection.execute(delete(page_session).where(page_session.c.expires_at <= now_ms()))
    row = {
        "token_hash": token_hash,
        "key_id": key_id,
        "secret_hash": secret_hash,
        "created_at": now_ms(),
        "expires_at": now_ms() + int(lasts_s * 1000),
    }
    connection.execute(insert(page_session).values(**row))


def key_of(connection: Connection, token_hash: str) -> Key | None:
    """Return the key of a session; None where it has expired, or the key has ended or another secret."""
    mine = page_session.c.secret_hash
    still = and_(api_key.c.previous_hash == mine, api_key.c.previous_until > now_ms())
    query = (
        select(page_session.c.key_id)
        .join(api_key, api_key.c.id == page_session.c.key_id)
        .where(page_session.c.token_hash == token_hash, page_session.c.expires_at > now_ms())
        .where(or_(api_key.c.secret_hash == mine, still))
    )
    key_id = connection.execute(query).scalar_one_or_none()
    found = keys.with_hashes(connection, key_id) if key_id else None
    return found[0] if found else None


def end(connection: Connection, token_hash: str) -> None:
    """Forget a session."""
    connection.execute(delete(page_session).where(page_session.c.token_hash == token_hash))
