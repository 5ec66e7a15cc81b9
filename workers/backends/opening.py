"""The place that the arguments of a client name: a store, or an API server."""

from __future__ import annotations

from pathlib import Path

from tasks.errors import UsageError
from tasks.settings import load_settings
from workers.backends.interface import Backend


def backend_of(config: Path | str | None, url: str | None, key: str | None) -> Backend:
    """Open the store of the settings, or the server at a URL.

    Raises:
        SettingsError: The settings are wrong, or the store cannot be opened.
        UsageError: A URL without a key, a key without a URL, or a URL and a settings file.
    """
    if url is None and key is None:
        from workers.backends.store import StoreBackend

        return StoreBackend(load_settings(None if config is None else Path(config)))
    if url is None or key is None:
        raise UsageError("url= and key= go together; `waybill keys create NAME` prints a key")
    if config is not None:
        raise UsageError("url= names an API server, which has settings of its own: leave config= out")
    from workers.backends.server.backend import ServerBackend

    return ServerBackend(url, key)
