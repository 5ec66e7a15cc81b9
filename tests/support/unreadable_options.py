"""A batch whose options a newer Waybill stored in another form."""

from __future__ import annotations

from typing import Any

from sqlalchemy import update

from tasks.store.engine import Store
from tasks.store.tables import batch

#: options in forms that no Waybill of today has
FORMS: tuple[Any, ...] = (
    {"models": None}, {"prices": None}, {"prices": [["small", 1, 2]]}, {"deployments": None},
    {"hold": {"until": "stored"}}, {"name": {"en": "x"}}, {"explore": "often"}, [],
)  # fmt: skip


def break_options(store: Store, batch_no: int, form: Any = FORMS[0]) -> None:
    """Make the options of a batch unreadable."""
    with store.write() as connection:
        connection.execute(update(batch).where(batch.c.no == batch_no).values(options=form))
