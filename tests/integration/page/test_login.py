"""Logging in: a key for a cookie that is no key, forms that no other site can send, the end of a session."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import select, update
from sqlalchemy.exc import OperationalError

from tasks.api_keys import keys
from tasks.api_keys.sessions import session_of
from tasks.store.engine import Store
from tasks.store.page.tables import page_session
from tests.support.page import Browser
from workers.page.html import POLICY
from workers.page.visit import COOKIE


def test_who_is_not_logged_in_is_asked_for_a_key_and_led_back(stranger: Browser) -> None:
    asked = stranger.get("/batches/batch_00?show=all")
    assert asked.status_code == 303
    assert asked.headers["location"] == "/login?next=%2Fbatches%2Fbatch_00%3Fshow%3Dall"
    assert 'value="/batches/batch_00?show=all"' in stranger.shown(asked.headers["location"])
    assert stranger.client.post("/batches/batch_00/cancel", data={}).headers["location"] == "/login"


@pytest.mark.parametrize(
    "path", ["https://evil.example", "//evil.example", "/\\evil.example", "javascript:1"]
)
def test_a_login_leads_to_our_own_pages_only(browser: Browser, path: str) -> None:
    assert browser.log_in(browser.key_text, next=path).headers["location"] == "/"


def test_a_wrong_key_opens_nothing(stranger: Browser) -> None:
    for text in ("", "sk-wb-0000000000000000-" + "a" * 43, "x" * 10_000):
        refused = stranger.log_in(text)
        assert refused.status_code == 401
        assert "no valid key" in refused.text
        assert "set-cookie" not in refused.headers


def test_the_cookie_is_no_key_and_the_store_holds_neither(browser: Browser, store: Store) -> None:
    cookie = browser.client.cookies[COOKIE]
    assert cookie not in browser.key_text
    with store.read() as connection:
        row = connection.execute(select(page_session)).mappings().one()
    secret = browser.key_text.rpartition("-")[2]
    assert cookie not in str(dict(row))
    assert secret not in str(dict(row))
    session = session_of(store, cookie)
    assert session is not None
    assert cookie not in repr(session)


def test_scripts_and_other_sites_get_no_cookie(browser: Browser) -> None:
    header = browser.log_in(browser.key_text).headers["set-cookie"].lower()
    assert "httponly" in header
    assert "samesite=lax" in header
    assert "secure" not in header  # over plain HTTP on loopback
    behind_tls = browser.client.post(
        "/login", data={"key": browser.key_text}, headers={"x-forwarded-proto": "https"}
    )
    assert "secure" in behind_tls.headers["set-cookie"].lower()


def test_a_session_ends_when_it_is_logged_out(browser: Browser) -> None:
    cookie = browser.client.cookies[COOKIE]
    assert browser.send("/logout").headers["location"] == "/login"
    browser.client.cookies.set(COOKIE, cookie)
    assert browser.get("/").status_code == 303


def test_a_session_ends_with_its_time(browser: Browser, store: Store) -> None:
    with store.write() as connection:
        connection.execute(update(page_session).values(expires_at=1))
    assert browser.get("/").status_code == 303


def test_a_session_ends_with_its_key(browser: Browser, store: Store) -> None:
    keys.revoke(store, "team")
    assert browser.get("/").status_code == 303


def test_a_session_ends_when_its_key_gets_another_secret(browser: Browser, store: Store) -> None:
    keys.rotate(store, "team", keep_s=3600)
    assert browser.get("/").status_code == 200  # the old secret still holds
    keys.rotate(store, "team")
    assert browser.get("/").status_code == 303


def test_a_form_without_the_token_of_the_session_changes_nothing(
    browser: Browser, new_browser: Callable[..., Browser]
) -> None:
    batch = browser.tenant.create()
    path = f"/batches/{batch['id']}/cancel"
    other = new_browser("other")
    for token in ("", "0" * 64, other.form_token):
        refused = browser.client.post(path, data={"form_token": token})
        assert refused.status_code == 403
        assert "not one of your session" in refused.text
    assert browser.tenant.row(batch["id"])["state"] == "validating"
    assert browser.send(path).status_code == 303
    assert browser.tenant.row(batch["id"])["state"] == "cancelled"


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "http://["},
        {"origin": "null"},
        {"sec-fetch-site": "cross-site"},
    ],
)
def test_a_form_of_another_site_is_refused(browser: Browser, headers: dict[str, str]) -> None:
    batch = browser.tenant.create()
    fields = {"form_token": browser.form_token}
    path = f"/batches/{batch['id']}/cancel"
    assert browser.client.post(path, data=fields, headers=headers).status_code == 403
    assert browser.client.post("/login", data={"key": browser.key_text}, headers=headers).status_code == 403


def test_every_page_forbids_scripts_and_styles_of_others_and_inline_ones(browser: Browser) -> None:
    batch = browser.tenant.create()
    for path in ("/", "/login", f"/batches/{batch['id']}", "/batches/none"):
        response = browser.get(path)
        assert response.headers["content-security-policy"] == POLICY
        assert "unsafe" not in POLICY
        assert response.headers["cache-control"] == "no-store"
        for inline in ("<style", " style=", "<script>", "onclick", "onload"):
            assert inline not in response.text, path


def test_who_visits_while_the_store_is_away_gets_a_page_that_says_so(
    browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object) -> None:
        raise OperationalError("SELECT secret", {}, Exception("secret"))

    monkeypatch.setattr("workers.page.visit.session_of", away)
    monkeypatch.setattr("workers.page.login.log_in", away)
    for response in (browser.get("/"), browser.get("/operations"), browser.log_in(browser.key_text)):
        assert response.status_code == 503
        assert response.headers["content-type"].startswith("text/html")
        assert "the store cannot be reached" in response.text
        assert "secret" not in response.text


def test_a_key_in_the_header_opens_no_page(stranger: Browser, browser: Browser) -> None:
    # A cookie is what a browser sends by itself: the API takes none, and the page no header.
    headers = {"authorization": f"Bearer {browser.key_text}"}
    assert stranger.get("/", headers=headers).status_code == 303
    assert browser.get("/v1/batches").status_code == 401
