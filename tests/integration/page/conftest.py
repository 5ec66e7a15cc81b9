"""The page in this process, and browsers without a screen that are logged in to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tasks.files.opening import open_storage
from tasks.settings import Settings
from tasks.store.engine import Store
from tests.support.page import Browser
from tests.support.tenants import settings_of
from workers.api.application import application
from workers.api.context import Context
from workers.api.keys.concurrency import KeyRequests


@pytest.fixture
def settings(store_url: str, tmp_path: Path) -> Settings:
    return settings_of(tmp_path, store_url)


@pytest.fixture
def context(store: Store, settings: Settings) -> Context:
    return Context(settings, store, open_storage(settings), KeyRequests(100))


@pytest.fixture
def stranger(context: Context) -> Iterator[Browser]:
    """A browser that is not logged in."""
    with Browser.of(application(context), context) as browser:
        yield browser


@pytest.fixture
def new_browser(context: Context) -> Iterator[Callable[..., Browser]]:
    """Makes browsers that are logged in, each with a key of its own."""
    app = application(context)
    with ExitStack() as browsers:

        def make(name: str = "team", **limits: Any) -> Browser:
            browser = browsers.enter_context(Browser.of(app, context))
            browser.log_in_as_new(name, **limits)
            return browser

        yield make


@pytest.fixture
def browser(new_browser: Callable[..., Browser]) -> Browser:
    """A browser of a key without limits."""
    return new_browser()
