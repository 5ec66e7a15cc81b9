"""The page in Chromium: submitted by a drop, watched to the end, a request explored, pictures of all; Flower.

Nothing here depends on how fast a batch is: what must come is waited for, and what must be met in the middle
is held by its provider until the test lets it go.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from router_core.monitoring.canary import SampleStats
from tasks.store.routers import canary_stats, roles
from tests.support.api import chat_line
from tests.support.chromium import Window
from tests.support.flower import Flower
from tests.support.holding import Hold
from tests.support.stack import Stack
from tests.support.waiting import wait_until
from workers.simulator import SimulatorProcess

_PATIENCE_MS = 90_000
_DROP = """([name, text]) => {
  const dropped = new DataTransfer();
  dropped.items.add(new File([text], name));
  const form = document.querySelector("[data-drop]");
  for (const kind of ["dragenter", "dragover", "drop"])
    form.dispatchEvent(new DragEvent(kind, {dataTransfer: dropped, bubbles: true, cancelable: true}));
}"""


def _dropped(window: Window, lines: list[str]) -> Any:
    """Drop a file on the page, and return the page that then shows it."""
    page = window.go("/submit")
    page.evaluate(_DROP, ["dropped.jsonl", "".join(f"{line}\n" for line in lines)])
    page.get_by_role("heading", name="dropped.jsonl").wait_for()
    return page


def _submitted(window: Window, lines: list[str]) -> str:
    """Submit lines by a drop; returns the path of the batch's page, which is open."""
    page = _dropped(window, lines)
    page.get_by_role("button", name="Submit").click()
    page.wait_for_url("**/batches/batch_*")
    return page.url.removeprefix(window.url)


def test_a_file_is_dropped_estimated_submitted_watched_and_its_requests_explored(window: Window) -> None:
    lines = [chat_line(n, prompt=f"question {n}") for n in range(5)]
    page = _dropped(window, lines)
    page.get_by_text("5 requests").wait_for(timeout=_PATIENCE_MS)
    page.get_by_text("All to sim-nano").wait_for()
    assert window.serious() == []
    page.get_by_role("button", name="Submit").click()
    page.wait_for_url("**/batches/batch_*")
    page.get_by_text("5 of 5 requests have ended").wait_for(
        timeout=_PATIENCE_MS
    )  # by events, not by a reload
    with page.expect_download(timeout=_PATIENCE_MS) as download:
        page.get_by_role("link", name="Results").click()
    results = Path(download.value.path()).read_text().splitlines()
    assert len([json.loads(line) for line in results]) == 5
    page.get_by_label("Find a request by its custom_id").fill("line-3")
    page.get_by_role("button", name="Find").click()
    page.get_by_text("question 3").first.wait_for()
    assert window.serious() == []


def test_a_batch_is_paused_resumed_cancelled_and_retried(window: Window, simulator: SimulatorProcess) -> None:
    page = window.page
    page.on("dialog", lambda dialog: dialog.accept())
    with Hold(simulator.client) as hold:
        _submitted(window, [chat_line(n, prompt=f"{hold.marker} {n}") for n in range(3)])
        hold.await_calls(3)
        page.get_by_role("button", name="Pause").click()
        page.get_by_text("Paused: calls in flight still end.").wait_for()
        page.get_by_role("button", name="Resume").click()
        page.get_by_text("It goes on.").wait_for()
        page.get_by_label("Budget $").fill("7")
        page.get_by_role("button", name="Set").click()
        page.get_by_text("The budget is changed.").wait_for()
        assert window.serious() == []
    page.get_by_text("3 of 3 requests have ended").wait_for(timeout=_PATIENCE_MS)
    with Hold(simulator.client) as hold:
        _submitted(window, [chat_line(n, prompt=f"{hold.marker} {n}") for n in range(200)])
        hold.await_calls(1)
        page.get_by_role("button", name="Cancel").click()
        page.get_by_text("Cancelled: calls in flight still end.").wait_for()
    page.get_by_text("200 of 200 requests have ended").wait_for(timeout=_PATIENCE_MS)


def test_what_failed_is_sent_again(window: Window) -> None:
    page = window.page
    _submitted(window, [chat_line(1, prompt="[[sim:status=400]]"), chat_line(2)])
    page.get_by_role("button", name="Retry 1 failed").click(timeout=_PATIENCE_MS)
    page.get_by_text("What failed is sent again.").wait_for()
    page.get_by_text("2 of 2 requests have ended").wait_for(timeout=_PATIENCE_MS)
    page.get_by_role("link", name="line-1").click(timeout=_PATIENCE_MS)
    page.get_by_role("heading", name="Attempts").wait_for()


def test_a_page_begins_with_a_link_to_its_content_for_keyboards(window: Window) -> None:
    page = window.go("/")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"


def test_another_key_s_batch_is_not_there_and_a_logout_ends_it(new_window: Callable[..., Window]) -> None:
    mine = new_window()
    path = _submitted(mine, [chat_line(1, prompt="a secret of mine")])
    other = new_window()
    assert other.page.goto(f"{other.url}{path}").status == 404
    other.page.get_by_role("heading", name="Not found").wait_for()
    mine.page.get_by_role("button", name="Log out").click()
    mine.page.get_by_label("Key").wait_for()
    mine.go(path)
    mine.page.get_by_label("Key").wait_for()


class _Failing:
    """Answers the polls of a page with an error of this content type; "" lets them through."""

    kind = ""

    def __call__(self, route: Any) -> None:
        if self.kind and "hx-request" in route.request.headers:
            route.fulfill(status=503, content_type=self.kind, body="{}")
        else:
            route.continue_()


@pytest.mark.parametrize("path", ["/", "/operations"])
def test_a_page_outlasts_a_server_that_fails(new_window: Callable[..., Window], path: str) -> None:
    window = new_window(is_operator=True)
    _submitted(window, [chat_line(1)])
    window.page.clock.install()
    page = window.go(path)
    # One route until the end: what is on its way when a route is taken back fails the test.
    failing = _Failing()
    page.route("**/*", failing)
    for kind in ("application/json", "text/html"):
        failing.kind = kind
        for _ in range(2):  # the second poll comes only from a page that the first one has left
            with page.expect_response(lambda response: response.status == 503):
                page.clock.run_for(6_000)
    failing.kind = ""
    with page.expect_response(lambda response: "hx-request" in response.request.headers and response.ok):
        page.clock.run_for(6_000)
    page.unroute_all(behavior="ignoreErrors")
    assert all("Response Status Error Code 503" in error for error in window.errors)
    window.errors.clear()


def test_an_operator_promotes_a_router_and_rolls_back(
    new_window: Callable[..., Window], two_routers: tuple[str, str], stack: Stack
) -> None:
    window = new_window(is_operator=True)
    page = window.go("/routers")
    page.on("dialog", lambda dialog: dialog.accept())
    for version in two_routers:
        page.get_by_role("button", name=f"Promote {version}").click()
        page.get_by_text("It routes from the next chunk on.").wait_for()
        page.get_by_role("button", name=f"Promote {version}").wait_for(state="detached")
    # The first one on a share, with its judged scores beside those of the second.
    page.get_by_role("button", name=f"Start {two_routers[0]} as the canary").click()
    page.get_by_text("It routes its share from the next chunk on.").wait_for()
    with stack.store.write() as connection:
        samples = {roles.CANARY: SampleStats(40, 0.56, 0.1), roles.CHAMPION: SampleStats(90, 0.5, 0.1)}
        canary_stats.record_judged(connection, roles.read(connection), samples)
    page.reload()
    compared = page.get_by_role("region", name="Canary").get_by_role("row", name="Judged score")
    assert compared.get_by_role("cell").all_inner_texts()[:2] == ["0.560 ± 0.050", "0.500 ± 0.033"]
    assert window.serious() == []
    window.screenshot("canary")
    for _ in range(2):  # the canary ends, then the champion before comes back
        page.get_by_role("button", name="Roll back").click()
        page.get_by_text("Rolled back, from the next chunk on.").wait_for()
        page.goto(f"{window.url}/routers")
    with stack.store.read() as connection:
        assert roles.read(connection).champion == two_routers[0]
    page.get_by_role("link", name=f"Curves of {two_routers[1]}").click()
    page.get_by_text("It was trained before its curves were recorded.").wait_for()
    assert window.serious() == []


def test_flower_tells_the_truth_in_a_run_with_failures(
    chromium: Any, stack: Stack, simulator: SimulatorProcess
) -> None:
    from playwright.sync_api import TimeoutError

    flower = Flower(stack, "somebody:secret")
    flower.await_events(workers=3)
    page = chromium.new_context(http_credentials={"username": "somebody", "password": "secret"}).new_page()
    page.set_default_timeout(240_000)

    def await_row(path: str, *texts: str) -> None:
        """Wait until one row of a page's table, which the page fills by itself, has all of these texts."""
        row = page.locator("tbody tr")
        for text in texts:
            row = row.filter(has_text=text)

        def is_shown() -> bool:
            page.goto(f"{flower.root}{path}")
            with suppress(TimeoutError):
                row.first.wait_for(timeout=10_000)
            return bool(row.count())

        wait_until(is_shown, timeout_s=400)

    with Hold(simulator.client) as hold:
        texts = [f"{hold.marker} {n}" for n in range(2)] + [f"[[sim:status=400]] {n}" for n in range(3)]
        batch_id = stack.submit([{"prompt": text, "model": "sim-nano"} for text in texts])
        hold.await_calls(2)
        await_row("/tasks", "waybill.dispatch", "STARTED")
        await_row("/broker", "dispatch.sim-nano")
    stack.wait(batch_id)
    await_row("/tasks", "waybill.dispatch", "FAILURE")
    await_row("/workers", "upkeep@")
    text = " ".join(page.locator("body").all_inner_texts())
    assert "sim:" not in text
    failed = [task for task in flower.tasks().values() if "context_window x3" in str(task["exception"])]
    assert [(task["state"], task["runtime"] > 0) for task in failed] == [("FAILURE", True)]
    page.context.close()


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_have_no_serious_fault_at_any_width_and_in_both_schemes(
    new_window: Callable[..., Window], scheme: str, width: int
) -> None:
    window = new_window(scheme=scheme, width=width, is_operator=True)
    path = _submitted(window, [chat_line(n) for n in range(3)])
    window.page.get_by_text("3 of 3 requests have ended").wait_for(timeout=_PATIENCE_MS)
    pages = {
        "batches": "/",
        "batch": path,
        "request": f"{path}/request?custom_id=line-1",
        "submit": "/submit",
        "routers": "/routers",
        "operations": "/operations",
        "missing": "/batches/none",
    }
    for name, one in pages.items():
        window.go(one)
        window.screenshot(f"{name}-{scheme}-{width}")
        assert window.serious() == [], name
    window.go("/").get_by_role("button", name="Log out").click()
    window.page.get_by_label("Key").wait_for()
    window.screenshot(f"login-{scheme}-{width}")
    assert window.serious() == []
