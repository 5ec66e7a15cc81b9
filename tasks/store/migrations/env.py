"""The environment script that Alembic runs; it uses the caller's connection and transaction."""

from typing import Any, Literal

from alembic import context
from sqlmodel import AutoString, SQLModel

from tasks.store import (
    process_counters,  # noqa: F401
    running_totals,  # noqa: F401
    tables,  # noqa: F401  (registers the tables)
)
from tasks.store.api import tables as api_tables  # noqa: F401
from tasks.store.health import tables as health_tables  # noqa: F401
from tasks.store.learning import tables as learning_tables  # noqa: F401
from tasks.store.page import tables as page_tables  # noqa: F401
from tasks.store.routers import tables as router_tables  # noqa: F401
from tasks.store.unlocked import tables as unlocked_tables  # noqa: F401


def _render_item(item_type: str, item: object, _context: Any) -> str | Literal[False]:
    """Render SQLModel's text type as SQLAlchemy's, so that migrations need not import SQLModel."""
    return "sa.String()" if item_type == "type" and isinstance(item, AutoString) else False


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=SQLModel.metadata,
    # SQLite's ALTER TABLE is limited: in batch mode, Alembic copies the table instead.
    render_as_batch=True,
    compare_server_default=True,
    render_item=_render_item,
)
context.run_migrations()
