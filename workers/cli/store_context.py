"""The settings and the store, which most commands need."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tasks.settings import Settings
    from tasks.store.engine import Store


@contextmanager
def open_store() -> Iterator[tuple[Settings, Store]]:
    """Read the settings and open their store; raises SettingsError where either is wrong."""
    from tasks.private_home import secure
    from tasks.settings import load_settings
    from tasks.store.engine import Store
    from tasks.store.schema import ensure_schema

    settings = load_settings()
    secure(settings.home)
    store = Store(settings.store_url)
    try:
        ensure_schema(store)
        yield settings, store
    finally:
        store.close()


def nobody_works(store: Store) -> str:
    """Return in words that a batch waits, as no worker is alive at this store; empty where one is."""
    from tasks.store.health import workers

    with store.read() as connection:
        if workers.alive(connection):
            return ""
        if workers.lacks_stack(connection):
            return "no stack runs here: the batch waits in the store for `waybill up`"
    return "no worker was heard of in the last minute: the batch waits in the store until one runs"
