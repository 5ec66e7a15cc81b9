"""What is not there, or fails at the door: a page for browsers, OpenAI's errors for clients of the API."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy.exc import OperationalError
from starlette.types import ASGIApp

from tests.support.page import Browser
from workers.api.application import application
from workers.api.context import Context
from workers.api.door.middleware import Door
from workers.page.html import POLICY, failed

#: what browsers send
HTML = {"accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}


@pytest.mark.parametrize(
    ("path", "status", "title"),
    [
        ("/no-such-page", 404, "Not found"),
        ("/batches", 404, "Not found"),
        ("/logout", 405, "Not allowed"),
        ("/login?next=%00", 400, "That did not work"),
        ("/login?next=" + "x" * 5_000, 414, "That did not work"),
    ],
)
def test_a_browser_is_shown_a_page_and_a_client_of_the_api_json(
    stranger: Browser, path: str, status: int, title: str
) -> None:
    shown = stranger.get(path, headers=HTML)
    assert shown.status_code == status
    assert shown.headers["content-security-policy"] == POLICY
    assert f"<h1>{title}</h1>" in shown.text
    plain = stranger.get(path)
    assert plain.status_code == status
    assert set(plain.json()) == {"error"}
    assert plain.headers.get("allow") == shown.headers.get("allow")


def test_paths_of_the_api_answer_in_its_shape_whoever_asks(stranger: Browser) -> None:
    for path, status in (("/v1/none", 404), ("/v1/batches", 401)):
        response = stranger.get(path, headers=HTML)
        assert (response.status_code, set(response.json())) == (status, {"error"})


@pytest.mark.parametrize(
    ("fault", "status"), [(OperationalError("", {}, Exception("secret")), 503), (KeyError("secret"), 500)]
)
def test_what_fails_at_the_door_is_a_page_for_browsers(
    context: Context, fault: Exception, status: int
) -> None:
    async def fails(*_: object) -> None:
        raise fault

    door = Door(fails, patience_s=5, max_requests=9, page=failed)
    with Browser.of(door, context) as browser:
        shown = browser.get("/", headers=HTML)
        assert (shown.status_code, shown.headers["content-type"]) == (status, "text/html; charset=utf-8")
        assert "secret" not in shown.text
        assert browser.get("/").json()["error"]["type"] == "server_error"


def test_a_full_house_tells_a_browser_so(context: Context) -> None:
    full: ASGIApp = application(replace(context))
    assert isinstance(full, Door)
    full._max = 0
    with Browser.of(full, context) as browser:
        shown = browser.get("/", headers=HTML)
        assert shown.status_code == 503
        assert "too many requests at once" in shown.text
        assert browser.get("/v1/models").headers["retry-after"] == "1"
