"""The page in this process, and browsers without a screen that are logged in to it."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from router_core.data.labelled_prompts import LabelledPrompt
from tasks.files.opening import open_storage
from tasks.settings import Settings
from tasks.store.engine import Store
from tests.support import learning, routers
from tests.support.page import Browser
from tests.support.tenants import settings_of
from workers.api.application import application
from workers.api.context import Context
from workers.api.keys.concurrency import KeyRequests
from workers.routers.training import train_on


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


@pytest.fixture(scope="session")
def trained_router(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A router that has learnt that the coder is good at code and the dear writer at poems."""
    folder = tmp_path_factory.mktemp("router")
    costs = {"coder": 0.001, "writer": 0.004}
    rows = [
        LabelledPrompt(
            f"p{n}",
            (routers.CODE, routers.POEM)[turn % 2].format(n=n),
            None,
            None,
            {"coder": float(turn % 2 == 0), "writer": float(turn % 2)},
            costs,
        )
        for turn, n in enumerate(random.Random(0).sample(range(10_000), 100))
    ]
    train_on(learning.settings(folder, *routers.MODELS), rows, notify=lambda _: None).save(folder / "router")
    return folder / "router"
