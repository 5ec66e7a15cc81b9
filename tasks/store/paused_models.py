"""Lanes: models that are paused for everybody, shown by `status`."""

from __future__ import annotations

from sqlalchemy import Connection, RowMapping, delete, select

from tasks.store.engine import now_ms
from tasks.store.outcomes import insert_ignoring
from tasks.store.tables import lane


def pause(connection: Connection, model: str, *, reason: str, seconds: float) -> None:
    """Note that the model rests, and why; `reason` is ours, never a provider's text."""
    connection.execute(delete(lane).where(lane.c.model == model))
    row = {"model": model, "reason": reason, "paused_until": now_ms() + int(seconds * 1000)}
    connection.execute(insert_ignoring(connection, lane).values(**row))


def resume(connection: Connection, model: str) -> None:
    """Note that the model is called again."""
    connection.execute(delete(lane).where(lane.c.model == model))


def paused(connection: Connection) -> list[RowMapping]:
    """Return the models that rest now."""
    query = select(lane).where(lane.c.paused_until > now_ms()).order_by(lane.c.model)
    return list(connection.execute(query).mappings())
