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
