"""Pictures of every page from a real run: a trained router, a canary, failures, categories, several keys.

    python tests/benchmarks/page_screens.py        (a few minutes; pictures in build/screens/run)

It starts the stack with simulated models as `waybill up --simulate` does, has batches answered, and takes a
picture of each page at two widths and in two colour schemes. `--picture` also writes docs/images/page.png.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx

from router_core.data.labelled_prompts import read_labelled
from tasks.api_keys import keys
from tasks.settings import CONFIG_VARIABLE, load_settings
from tasks.store.engine import Store
from tests.support.paths import REPOSITORY
from workers.demo.data.batch import write_demo_batch
from workers.demo.data.labelled import LABELLED_PATH
from workers.routers import promotion
from workers.routers.training import train_router
from workers.stack.options import StackOptions
from workers.stack.stack import Stack

SCREENS = REPOSITORY / "build" / "screens" / "run"
#: the trained routers, which are kept for the next time
ROUTERS = REPOSITORY / "build" / "screens-routers"
SETTINGS = """home = "{home}"

[router]
tau = 0.02

[api]
port = 0
"""
#: lines of the batch that runs, and of those that have ended
RUNNING, ENDED = 6_000, 800
WIDTHS, SCHEMES = (1280, 390), ("light", "dark")
_PATIENCE_S = 600.0


def main() -> None:
    """Run everything, and take the pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--picture", action="store_true", help="Write docs/images/page.png, too.")
    picture = parser.parse_args().picture
    home = REPOSITORY / "build" / "screens-home"
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True)
    config = home / "waybill.toml"
    config.write_text(SETTINGS.format(home=home))
    os.environ[CONFIG_VARIABLE], os.environ["WAYBILL_HOME"] = str(config), str(home)
    stack = Stack(load_settings(), StackOptions(simulate=True, flaky=0.03, api=True), notify=print)
    stack.start()
    try:
        with closing(Store(stack.settings.store_url)) as store:
            _run(stack, store, home, picture=picture)
    finally:
        stack.stop()


def _run(stack: Stack, store: Store, home: Path, *, picture: bool) -> None:
    assert stack.await_ready(threading.Event())
    _promote(stack, store, home)
    team, operator = keys.create(store, "search-team", budget_day=50_000_000)[1], ""
    keys.create(store, "labelling")
    operator = keys.create(store, "operations", is_operator=True)[1]
    api = httpx.Client(
        base_url=stack.page_url, headers={"authorization": f"Bearer {team}"}, timeout=_PATIENCE_S
    )
    ended = _submit(api, _lines(home / "ended.jsonl", ENDED, seed=1), waybill_budget_usd="3")
    _await(stack, lambda: _batch(api, ended)["status"] in ("completed", "failed"))
    stopped = _submit(api, _lines(home / "stopped.jsonl", 400, seed=2), waybill_budget_usd="0.05")
    _await(stack, lambda: _batch(api, stopped)["status"] in ("completed", "failed"))
    print("taking pictures", flush=True)
    running = _submit(api, _lines(home / "running.jsonl", RUNNING, seed=3), waybill_budget_usd="12")
    _await(stack, lambda: _batch(api, running)["request_counts"]["completed"] > RUNNING / 4)
    _take(stack.page_url, team, operator, ended, running, home, picture=picture)
    stack.poll()


def _promote(stack: Stack, store: Store, home: Path) -> None:
    """Train two routers: the champion on all labels, the canary on some."""
    rows = LABELLED_PATH.read_text().splitlines(keepends=True)
    (home / "some.jsonl").write_text("".join(rows[:150]))
    for name, path, share in (("champion", LABELLED_PATH, None), ("canary", home / "some.jsonl", 0.3)):
        if not (ROUTERS / name).exists():
            train_router(stack.settings, list(read_labelled(path)), ROUTERS / name, notify=print)
        version = promotion.register(store, ROUTERS / name, source=name)
        promotion.promote(store, stack.settings, version, canary=share)


def _lines(path: Path, count: int, *, seed: int) -> bytes:
    """Return a batch of which some requests fail in several ways."""
    write_demo_batch(path, count, seed)
    lines = path.read_bytes().splitlines()
    for number, fault in enumerate(("status=400", "content_policy", "context_length")):
        for at in range(20 + number, count, 97 + 60 * number):
            line = json.loads(lines[at]) if lines[at].startswith(b'{"custom_id": "demo') else None
            if line and "messages" in line["body"]:
                line["body"]["messages"][-1]["content"] += f" [[sim:{fault}]]"
                lines[at] = json.dumps(line).encode()
    return b"\n".join(lines) + b"\n"


def _submit(api: httpx.Client, content: bytes, **metadata: str) -> str:
    file = api.post("v1/files", files={"file": ("questions.jsonl", content)}, data={"purpose": "batch"})
    body = {
        "input_file_id": file.raise_for_status().json()["id"],
        "endpoint": "/v1/chat/completions",
        "completion_window": "24h",
        "metadata": {"waybill_partial": "true", **metadata},
    }
    return str(api.post("v1/batches", json=body).raise_for_status().json()["id"])


def _batch(api: httpx.Client, batch_id: str) -> dict[str, Any]:
    return dict(api.get(f"v1/batches/{batch_id}").json())


def _await(stack: Stack, condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline
        stack.poll()
        time.sleep(0.5)


def _take(url: str, team: str, operator: str, ended: str, running: str, home: Path, *, picture: bool) -> None:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"], timeout=240_000
        )
        for scheme in SCHEMES:
            for width in WIDTHS:
                is_first = (scheme, width) == (SCHEMES[0], WIDTHS[0])
                for key, pages in ((team, _of_team(ended, running)), (operator, _OPERATOR)):
                    context = browser.new_context(
                        viewport={"width": width, "height": 900}, color_scheme=scheme
                    )
                    page = context.new_page()
                    page.set_default_timeout(240_000)
                    _log_in(page, url, key)
                    for name, path in pages.items():
                        _open(page, url, name, path, home)
                        file = SCREENS / f"{name}-{scheme}-{width}.png"
                        page.screenshot(path=file, full_page=True)
                        if picture and is_first and name == "batch-running":
                            shutil.copy(file, REPOSITORY / "docs" / "images" / "page.png")
                    context.close()
        browser.close()


def _of_team(ended: str, running: str) -> dict[str, str]:
    return {
        "batch-running": f"batches/{running}",
        "batches": "",
        "batch-ended": f"batches/{ended}",
        "request": f"batches/{ended}/request?custom_id=demo-00003",
        "request-failed": f"batches/{ended}/request?custom_id=demo-00020",
        "submit": "submit",
        "estimate": "submit",
        "missing": "no-such-page",
    }


_OPERATOR = {"operator-batches": "", "routers": "routers", "operations": "operations", "login": "login"}


def _log_in(page: Any, url: str, key: str) -> None:
    page.goto(f"{url}login")
    page.get_by_label("Key").fill(key)
    page.get_by_role("button", name="Log in").click()
    page.get_by_role("heading", name="Batches").wait_for()


def _open(page: Any, url: str, name: str, path: str, home: Path) -> None:
    page.goto(f"{url}{path}")
    if name == "batch-running":
        page.get_by_role("heading", name="Categories").wait_for()
        page.wait_for_timeout(3_000)
    if name == "request":
        page.get_by_role("button", name="Explain").click()
        page.get_by_text("Nearest labelled prompts", exact=True).wait_for()
    if name == "estimate":
        page.locator("input[type=file]").set_input_files(home / "ended.jsonl")
        page.get_by_role("button", name="Upload").click()
        page.get_by_text("All to sim-nano").wait_for()


if __name__ == "__main__":
    main()
