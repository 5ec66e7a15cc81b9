"""Whether Redis answers: upkeep notes that it does not, so that no view has to ask Redis itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, delete, select, update

from tasks.store import batches
from tasks.store.engine import now_ms
from tasks.store.outcomes import insert_ignoring
from tasks.store.tables import upkeep_mark

#: a note that is older says nothing: upkeep repeats it every few seconds while Redis is silent
FRESH_S = 20.0
#: what owners of keys see instead of the address
ASK_OPERATOR = "ask who runs Waybill"
_PREFIX = "redis does not answer: "


def note_silent(connection: Connection, address: str) -> None:
    """Note that Redis does not answer at this address, which names no password."""
    name = _PREFIX + address
    mine = update(upkeep_mark).where(upkeep_mark.c.name == name).values(written_at=now_ms())
    if not connection.execute(mine).rowcount:
        fresh = insert_ignoring(connection, upkeep_mark)
        connection.execute(fresh.values(name=name, written_at=now_ms()))


def note_answer(connection: Connection, address: str) -> None:
    """Note that Redis answers again."""
    connection.execute(delete(upkeep_mark).where(upkeep_mark.c.name == _PREFIX + address))


def silent_redis(connection: Connection, row: Mapping[str, Any]) -> str | None:
    """Return the address at which a batch waits for Redis; None if it answers, or nothing may begin.

    Args:
        connection: An open transaction.
        row: The batch's row.
    """
    if row["status"] not in batches.UNFINISHED or row["paused_at"] is not None:
        return None
    fresh = upkeep_mark.c.written_at > now_ms() - int(FRESH_S * 1000)
    named = upkeep_mark.c.name.startswith(_PREFIX, autoescape=True)
    found = connection.execute(select(upkeep_mark.c.name).where(fresh, named).limit(1)).scalar_one_or_none()
    return None if found is None else str(found).removeprefix(_PREFIX)


def silent_text(address: str) -> str:
    """Return in words that Redis does not answer."""
    return f"Redis does not answer: {address}"
