"""Batches that a browser submits."""

from __future__ import annotations

from tasks.store import batches
from tasks.store.engine import Store
from tests.support.page import Browser


def submitted(browser: Browser, *, lines: int = 3, **metadata: str) -> str:
    """Submit a batch whose requests are stored; returns its id."""
    batch = browser.tenant.create(lines=lines, metadata=metadata)
    assert browser.tenant.validator.take_one()
    return str(batch["id"])


def status_of(store: Store, batch_id: str) -> str:
    with store.read() as connection:
        return str(batches.find(connection, batch_id)["status"])
