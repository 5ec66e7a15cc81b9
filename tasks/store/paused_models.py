"""Paused models: those that no worker calls for now, as `waybill status` shows them."""

from __future__ import annotations

from sqlalchemy import Connection, RowMapping, delete, select

from tasks.store.engine import now_ms
from tasks.store.outcomes import insert_ignoring
from tasks.store.tables import paused_model

#: how the reason begins where calls failed until the circuit breaker opened
CIRCUIT_OPEN = "circuit open"


def pause(connection: Connection, model: str, *, reason: str, seconds: float) -> None:
    """Record that the model is paused; `reason` is Waybill's own text, never a provider's."""
    connection.execute(delete(paused_model).where(paused_model.c.model == model))
    row = {"model": model, "reason": reason, "paused_until": now_ms() + int(seconds * 1000)}
    connection.execute(insert_ignoring(connection, paused_model).values(**row))


def resume(connection: Connection, model: str) -> None:
    """Record that the model is no longer paused."""
    connection.execute(delete(paused_model).where(paused_model.c.model == model))


def paused(connection: Connection) -> list[RowMapping]:
    """Return the models that are paused now, by name."""
    now = connection.execute(select(now_ms())).scalar_one()
    return since(connection, now)


def since(connection: Connection, ended_at: int) -> list[RowMapping]:
    """Return the models that did not answer yet and whose pauses end later than this time, by name."""
    query = select(paused_model).where(paused_model.c.paused_until > ended_at)
    return list(connection.execute(query.order_by(paused_model.c.model)).mappings())
