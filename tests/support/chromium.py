"""A window of a real browser on the page; what goes wrong in it is a failure of the test."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from tests.support.paths import REPOSITORY

AXE = REPOSITORY / "tests" / "data" / "axe" / "axe.min.js"
SCREENS = REPOSITORY / "build" / "screens"
#: lets the console name what a content-security policy has blocked
_TELL_VIOLATIONS = """document.addEventListener("securitypolicyviolation", (event) => console.error(
  "blocked:", event.violatedDirective, event.sourceFile, event.columnNumber,
  event.target.outerHTML?.slice(0, 300)))"""
#: what axe-core must find none of
SERIOUS = ("serious", "critical")


class Window:
    """A page in a browser of its own, with a key."""

    def __init__(self, context: Any, url: str, key: str) -> None:
        self.url, self.key = url, key
        self.errors: list[str] = []
        self.elsewhere: list[str] = []
        self._context = context
        # Heard, not intercepted: a request on its way while the window closes must not fail the test.
        context.on("request", self._only_this_machine)
        context.add_init_script(_TELL_VIOLATIONS)
        self.page = context.new_page()
        self.page.set_default_timeout(240_000)
        self.page.on("console", self._note)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))

    def go(self, path: str) -> Any:
        """Open a page of ours, and return what a test does with it."""
        self.page.goto(f"{self.url}{path}")
        return self.page

    def log_in(self) -> None:
        self.go("/login")
        self.page.get_by_label("Key").fill(self.key)
        self.page.get_by_role("button", name="Log in").click()
        self.page.get_by_role("heading", name="Batches").wait_for()

    def serious(self) -> list[str]:
        """Return what axe-core finds serious on the page, and that it is never wider than the window."""
        # The content-security policy lets no page load it: it is evaluated as the debugger does.
        self.page.evaluate(AXE.read_text())
        found = self.page.evaluate("axe.run({resultTypes: ['violations']})")
        shown = [
            f"{one['id']}: {node['target']} {node['failureSummary']}"
            for one in found["violations"]
            if one["impact"] in SERIOUS
            for node in one["nodes"]
        ]
        if self.page.evaluate("document.documentElement.scrollWidth > window.innerWidth"):
            shown.append("the page is wider than the window")
        return shown

    def screenshot(self, name: str) -> None:
        SCREENS.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=SCREENS / f"{name}.png", full_page=True)

    def close(self) -> None:
        self._context.close()
        assert self.errors == []
        assert self.elsewhere == []

    def _only_this_machine(self, request: Any) -> None:
        if urlsplit(request.url).hostname != "127.0.0.1" and not request.url.startswith("data:"):
            self.elsewhere.append(request.url)

    def _note(self, message: Any) -> None:
        # A page that answers 404 or 401 on purpose is an error for the browser, not for us.
        if message.type == "error" and "Failed to load resource" not in message.text:
            self.errors.append(f"{self.page.url} {message.location}: {message.text}")
