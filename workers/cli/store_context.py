"""Opens what most commands need: the settings, and the store that they name."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tasks.settings import Settings
    from tasks.store.engine import Store


@contextmanager
def open_store() -> Iterator[tuple[Settings, Store]]:
    """The settings and the open store; raises SettingsError where either is not right."""
    from tasks.settings import load_settings
    from tasks.store.engine import Store
    from tasks.store.schema import ensure_schema

    settings = load_settings()
    store = Store(settings.store_url)
    try:
        ensure_schema(store)
        yield settings, store
    finally:
        store.close()
