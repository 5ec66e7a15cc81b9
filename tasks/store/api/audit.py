"""The audit log of the API: who did what to keys, files and batches.

It holds ids, sizes and budgets; no prompt, no answer, no file's name and no secret.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, RowMapping, insert, select

from tasks.store.api.tables import audit_entry
from tasks.store.engine import now_ms

#: who acts on a key with the command; a key's owner acts under the key's id
OPERATOR = "operator"
#: who lowers a budget that nobody named to what a batch can cost
WAYBILL = "waybill"


def note(
    connection: Connection, action: str, subject: str, *, owner: str, actor: str | None = None, **detail: Any
) -> None:
    """Write an entry, in the transaction that does what it says.

    Args:
        connection: The connection.
        action: What was done, one of those of the table.
        subject: The id of what it was done to.
        owner: The key that it belongs to.
        actor: Who did it; by default the owner.
        detail: Sizes, budgets and ids.
    """
    row = {"at": now_ms(), "actor": actor or owner, "owner": owner, "action": action, "subject": subject}
    connection.execute(insert(audit_entry).values(**row, detail=detail or None))


def latest(connection: Connection, *, owner: str | None, limit: int) -> list[RowMapping]:
    """Return the newest entries, of one key or of all, the newest first."""
    query = select(audit_entry).order_by(audit_entry.c.number.desc()).limit(limit)
    if owner is not None:
        query = query.where(audit_entry.c.owner == owner)
    return list(connection.execute(query).mappings())
