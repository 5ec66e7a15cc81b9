"""The page in a real browser: Debian's Chromium, which reaches nothing but this machine."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from tasks.store.routers.tables import router_event, router_role, router_version
from tests.support import api
from tests.support.api import ApiServer
from tests.support.chromium import Window
from tests.support.stack import Stack
from workers.simulator import SimulatorProcess

CHROMIUM = shutil.which("chromium")
#: no name leads anywhere: a page of ours asks nobody else
_ARGUMENTS = ["--no-sandbox", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"]
_NAMES = itertools.count()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    # Not longer than a module: while it runs, so does an event loop, and other tests start their own.
    # Not at the top: a conftest that is skipped would end the whole run.
    sync_api = pytest.importorskip("playwright.sync_api", reason="the page's tests need playwright")
    if CHROMIUM is None:
        pytest.skip("the page's tests need Debian's chromium: apt install chromium")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=_ARGUMENTS, timeout=240_000)
        yield browser
        browser.close()


@pytest.fixture(scope="package")
def stack(tmp_path_factory: pytest.TempPathFactory, simulator: SimulatorProcess) -> Iterator[Stack]:
    with Stack(tmp_path_factory.mktemp("page"), simulator=simulator) as stack:
        stack.start("upkeep")
        stack.await_ready(stack.start("route"), stack.start("dispatch"))
        yield stack


@pytest.fixture(scope="package")
def server(stack: Stack) -> ApiServer:
    return api.start_api(stack)


@pytest.fixture
def new_window(chromium: Any, stack: Stack, server: ApiServer) -> Iterator[Callable[..., Window]]:
    """Opens windows, each of a browser of its own, which fail the test if a page has an error in them."""
    windows: list[Window] = []

    def open_(*, log_in: bool = True, scheme: str = "light", width: int = 1280, **limits: Any) -> Window:
        context = chromium.new_context(
            viewport={"width": width, "height": 900}, color_scheme=scheme, bypass_csp=False, locale="en-GB"
        )
        key = api.new_key(stack, f"page-{next(_NAMES)}", **limits)
        window = Window(context, f"http://{urlsplit(server.url).netloc}", key)
        windows.append(window)
        if log_in:
            window.log_in()
        return window

    yield open_
    for window in windows:
        window.close()


@pytest.fixture
def window(new_window: Callable[..., Window]) -> Window:
    return new_window()


@pytest.fixture
def two_routers(stack: Stack) -> Iterator[tuple[str, str]]:
    """Two versions in the store, and none afterwards; nothing is routed meanwhile."""
    known = {"models": ["sim-nano"], "best_single": "sim-nano", "embedder": {"fingerprint": "x"}}
    rows = [
        {"version": name, "source": "a test", "figures": known, "created_at": 1} for name in ("aaaa", "bbbb")
    ]
    with stack.store.write() as connection:
        connection.execute(router_version.insert(), rows)
    yield "aaaa", "bbbb"
    with stack.store.write() as connection:
        for table in (router_role, router_event, router_version):
            connection.execute(table.delete())
