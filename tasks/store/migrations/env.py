"""Alembic runs this file; the connection is the caller's, and so is its transaction."""

from typing import Any, Literal

from alembic import context
from sqlmodel import AutoString, SQLModel

from tasks.store import tables  # noqa: F401  (registers the tables)
from tasks.store.learning import tables as learning_tables  # noqa: F401
from tasks.store.routers import tables as router_tables  # noqa: F401


def _render(kind: str, thing: object, _: Any) -> str | Literal[False]:
    """SQLModel's type for text is SQLAlchemy's own: migrations say so and import nothing for it."""
    return "sa.String()" if kind == "type" and isinstance(thing, AutoString) else False


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=SQLModel.metadata,
    # SQLite alters little in place: alembic copies such tables.
    render_as_batch=True,
    compare_server_default=True,
    render_item=_render,
)
context.run_migrations()
