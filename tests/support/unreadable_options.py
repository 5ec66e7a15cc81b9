"""A batch whose options a newer Waybill stored in another form."""

from __future__ import annotations

from typing import Any

from sqlalchemy import update

from tasks.store.engine import Store
from tasks.store.tables import batch

#: options in a form that no Waybill of today has
UNREADABLE: Any = {"models": None}


def break_options(store: Store, batch_no: int) -> None:
    """Make the options of a batch unreadable."""
    with store.write() as connection:
        connection.execute(update(batch).where(batch.c.no == batch_no).values(options=UNREADABLE))
