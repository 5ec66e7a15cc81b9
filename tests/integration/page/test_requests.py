"""A request on the page: its decision and attempts, and its texts for the owner of its batch alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from urllib.parse import quote

import pytest

from tasks.store import batches, deletion
from tasks.store.engine import Store
from tasks.store.page import figures
from tests.support import store_builders
from tests.support.api import chat_line
from tests.support.page import Browser

PROMPT = "canary prompt <script>alert(1)</script>"
HOSTILE = '"><img src=x>&?#/ é'


@pytest.fixture
def batch(browser: Browser, store: Store) -> str:
    """A batch of this browser whose first request was answered, and whose second one failed."""
    lines = [chat_line(n, model="small", prompt=f"{PROMPT} {n}") for n in range(2)]
    lines.append(chat_line(2, model="small").replace("line-2", HOSTILE.replace('"', '\\"')))
    made = browser.tenant.create(browser.tenant.upload(lines), metadata={"waybill_partial": "true"})
    assert browser.tenant.validator.take_one()
    held = store_builders.held(store, _number(store, made["id"]))
    store_builders.reserve(store, held[:2])
    store_builders.settle(store, held[:1])
    store_builders.settle(store, held[1:2], next=store_builders.REFUSED)
    return str(made["id"])


def _number(store: Store, batch_id: str) -> int:
    with store.read() as connection:
        return int(batches.find(connection, batch_id)["no"])


def _path(batch: str, custom_id: str) -> str:
    return f"/batches/{batch}/request?custom_id={quote(custom_id, safe='')}"


def test_a_request_is_found_with_its_texts_and_attempts(browser: Browser, batch: str) -> None:
    shown = browser.shown(_path(batch, "line-0"))
    assert "canary prompt &lt;script&gt;alert(1)&lt;/script&gt; 0" in shown
    assert "<script>alert" not in shown
    assert "named model" in shown
    assert '<th scope="row">small</th><td>succeeded</td>' in shown
    failed = browser.shown(_path(batch, "line-1"))
    assert "<code>bad_request</code> refused" in failed


def test_half_an_emoji_at_the_end_of_an_answer_is_shown_as_a_question_mark(
    browser: Browser, store: Store
) -> None:
    made = browser.tenant.create(lines=1)
    assert browser.tenant.validator.take_one()
    held = store_builders.held(store, _number(store, made["id"]))
    store_builders.reserve(store, held)
    body = '{"choices": [{"message": {"content": "cut off \\ud83d"}}]}'
    store_builders.settle(store, held, next=replace(store_builders.ANSWER, body=body))
    assert '<pre tabindex="0">cut off ?</pre>' in browser.shown(_path(made["id"], "line-0"))


def test_a_custom_id_may_be_any_text(browser: Browser, batch: str) -> None:
    shown = browser.shown(_path(batch, HOSTILE))
    assert "<img" not in shown.replace('<img src="/static', "")
    assert "&lt;img src=x&gt;&amp;?#/ é" in shown
    assert browser.get(_path(batch, "line-9")).status_code == 404
    assert browser.get(_path(batch, "")).status_code == 404


def test_failures_name_an_example_that_is_found(browser: Browser, batch: str, store: Store) -> None:
    figures.count(store, _number(store, batch))
    page = browser.shown(f"/batches/{batch}")
    assert f'<code>bad_request</code> 1, such as <a href="{_path(batch, "line-1")}">line-1</a>' in page


def test_nobody_but_the_owner_reads_texts_or_ids(
    browser: Browser, new_browser: Callable[..., Browser], batch: str, store: Store
) -> None:
    figures.count(store, _number(store, batch))
    for other in (new_browser("other"), new_browser("operator", is_operator=True)):
        assert other.get(_path(batch, "line-0")).status_code == 404
        explained = f"/batches/{batch}/request/explanation?custom_id=line-0"
        assert other.get(explained).status_code == 404
    pages = ("/", f"/batches/{batch}", "/operations", "/routers")
    seen = "".join(other.shown(page) for page in pages)
    assert "bad_request" in seen
    assert "canary prompt" not in seen
    assert "line-1" not in seen


def test_deleted_texts_are_said_to_be_deleted(browser: Browser, batch: str, store: Store) -> None:
    browser.send(f"/batches/{batch}/cancel")
    with store.write() as connection:
        (number,) = deletion.mark(connection, batch)
    deletion.clear(store, number)
    shown = browser.shown(_path(batch, "line-0"))
    assert "Its prompt and its answer were deleted." in shown
    assert "canary prompt" not in shown


def test_an_operator_reads_the_texts_of_the_command_s_batches(
    new_browser: Callable[..., Browser], store: Store
) -> None:
    line = store_builders.line(1, body='{"messages":[{"role":"user","content":"mine"}]}', custom_id="one")
    number = store_builders.submit(store, [line])
    with store.read() as connection:
        batch_id = batches.by_number(connection, number)["id"]
    assert ">mine</pre>" in new_browser("operator", is_operator=True).shown(_path(batch_id, "one"))
    assert new_browser("team").get(_path(batch_id, "one")).status_code == 404
