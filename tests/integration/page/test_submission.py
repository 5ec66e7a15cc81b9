"""Submitting on the page: a file is stored, estimated before anything is paid, and submitted once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tasks.settings import load_settings
from tasks.store.engine import Store
from tests.support.api import chat_line
from tests.support.page import Browser
from workers.api.estimates import estimator

ENDPOINT = "/v1/chat/completions"


def _upload(browser: Browser, content: bytes, *, token: str | None = None) -> tuple[int, str]:
    """Upload a file as the form does; returns the status and the page that follows."""
    fields = {"form_token": browser.form_token if token is None else token}
    sent = browser.client.post("/submit", data=fields, files={"file": ("mine.jsonl", content)})
    return sent.status_code, sent.headers.get("location", "")


def _lines(count: int, *, model: str | None = "small") -> bytes:
    return "".join(f"{chat_line(n, model=model)}\n" for n in range(count)).encode()


def test_a_file_is_uploaded_and_submitted_once_however_often_the_button_is_pressed(browser: Browser) -> None:
    status, page = _upload(browser, _lines(3))
    assert status == 303
    assert "mine.jsonl" in browser.shown(page)
    pressed = [browser.send(page, endpoint=ENDPOINT, waybill_budget_usd="2") for _ in range(2)]
    assert len({response.headers["location"] for response in pressed}) == 1
    batch_id = pressed[0].headers["location"].rpartition("/")[2]
    assert browser.tenant.row(batch_id)["budget"] == 2_000_000
    assert "Its file is being checked" in browser.shown(f"/batches/{batch_id}")


@pytest.mark.parametrize("token", ["", "0" * 64])
def test_an_upload_without_the_token_of_the_session_is_dropped(browser: Browser, token: str) -> None:
    assert _upload(browser, _lines(1), token=token)[0] == 403
    assert (
        browser.get("/v1/files", headers={"authorization": f"Bearer {browser.key_text}"}).json()["data"] == []
    )


def test_a_file_is_estimated_before_it_is_submitted(
    browser: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The estimate is made by a process of its own, which reads the settings by itself.
    monkeypatch.setenv("WAYBILL_CONFIG", str(tmp_path / "waybill.toml"))
    _, page = _upload(browser, _lines(3, model=None) + _lines(1, model=None) + b"{bad\n")
    shown = browser.shown(f"{page}/estimate?endpoint={ENDPOINT}")
    assert "<strong>3</strong> requests" in shown
    assert "duplicate_custom_id" in shown
    assert "line 5: invalid JSON" in shown
    assert "All to small" in shown
    refused = browser.shown(f"{page}/estimate?endpoint={ENDPOINT}&waybill_models=none")
    assert "none" in refused.partition('class="error"')[2]


def test_a_router_that_cannot_be_read_is_told_by_the_dry_run_without_its_path(
    browser: Browser, store: Store, tmp_path: Path
) -> None:
    config = tmp_path / "waybill.toml"
    config.write_text(f'{config.read_text()}[router]\npath = "{tmp_path}"\n')
    tenant = browser.tenant
    file_id = tenant.upload([chat_line(1)])
    asked = {"key_id": tenant.key.id, "file_id": file_id, "endpoint": ENDPOINT, "metadata": {}}
    error = estimator.estimated(load_settings(config), store, asked)["error"]
    assert "cannot read its router" in error
    assert str(tmp_path) not in error


def test_another_key_s_file_is_not_there(browser: Browser, new_browser: Callable[..., Browser]) -> None:
    _, page = _upload(browser, _lines(1))
    other = new_browser("other", is_operator=True)
    assert other.get(page).status_code == 404
    assert other.get(f"{page}/estimate?endpoint={ENDPOINT}").status_code == 404
    assert other.send(page, endpoint=ENDPOINT).status_code == 404


@pytest.mark.parametrize("fields", [{"endpoint": "/v1/x"}, {"endpoint": ENDPOINT, "waybill_policy": "best"}])
def test_options_that_are_none_are_refused(browser: Browser, fields: dict[str, str]) -> None:
    _, page = _upload(browser, _lines(1))
    assert browser.send(page, **fields).status_code == 400
    assert "There is no batch yet" in browser.shown("/")


def test_the_limits_of_a_key_hold_on_the_page(new_browser: Callable[..., Browser]) -> None:
    browser = new_browser("poor", budget_day=1_000_000, rpm=3)
    _, page = _upload(browser, _lines(1))
    refused = browser.send(page, endpoint=ENDPOINT, waybill_budget_usd="2")
    assert refused.status_code == 429
    assert "left of its budget of this day" in refused.text
    statuses = [browser.send(page, endpoint=ENDPOINT).status_code for _ in range(3)]
    assert 429 in statuses  # more forms than its requests per minute
