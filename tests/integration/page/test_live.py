"""The events of a batch's page: until its end, and no longer than its visitor may see it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from sqlalchemy import update
from starlette.requests import Request
from starlette.responses import StreamingResponse

from tasks.api_keys import keys
from tasks.api_keys.sessions import log_in
from tasks.batch_api.ending import end_finished
from tasks.store import batches
from tasks.store.engine import Store
from tasks.store.health import silent_redis, workers
from tasks.store.page import figures
from tasks.store.page.parts import Single
from tasks.store.page.tables import batch_figures
from tests.support import store_builders
from tests.support.page import Browser
from workers.api.context import Context
from workers.page.batches import live
from workers.page.visit import Visit
from workers.views.status import LOST


def _submitted(browser: Browser) -> str:
    """Submit a batch whose requests are stored; returns its id."""
    batch = browser.tenant.create()
    assert browser.tenant.validator.take_one()
    return str(batch["id"])


@pytest.mark.parametrize("end", [keys.revoke, partial(keys.set_operator, is_operator=False)])
def test_the_events_of_a_batch_end_where_the_visitor_may_not_see_it_any_more(
    browser: Browser,
    new_browser: Callable[..., Browser],
    context: Context,
    monkeypatch: pytest.MonkeyPatch,
    end: Callable[[Store, str], object],
) -> None:
    monkeypatch.setattr(live, "POLL_S", 0)
    batch, operator = _submitted(browser), new_browser("operator", is_operator=True)
    session = log_in(context.store, operator.key_text)
    assert session is not None
    request = Request({"type": "http", "method": "GET", "headers": [], "path_params": {"batch_id": batch}})
    visit = Visit(request, context, session)

    async def read() -> list[Any]:
        response = await live.batch_events(visit)
        assert isinstance(response, StreamingResponse)
        parts = aiter(response.body_iterator)
        assert b"event: live" in bytes(await anext(parts))
        end(context.store, "operator")
        return [part async for part in parts]

    assert asyncio.run(asyncio.wait_for(read(), 240)) == []


def test_only_an_operator_learns_where_redis_is_silent_and_whom_it_refuses(
    browser: Browser, new_browser: Callable[..., Browser], store: Store
) -> None:
    batch = _submitted(browser)
    with store.write() as connection:
        workers.beat(connection, "embed@h-1", role="embed", queues=["embed"], is_refused=True)
        silent_redis.note_silent(connection, "redis://10.0.0.1:6379/0")
    owns, operates = browser.shown(f"/batches/{batch}"), new_browser("ops", is_operator=True)
    assert "Redis refuses a worker" in owns
    assert "embed@h-1" not in owns
    assert "Redis refuses embed@h-1" in operates.shown(f"/batches/{batch}")
    answer = browser.get(
        f"/v1/batches/{batch}/progress", headers={"authorization": f"Bearer {browser.key_text}"}
    )
    found = answer.json()["progress"]
    assert (found["silent_redis"], found["refused_workers"]) == ("ask who runs Waybill", ["a worker"])


def test_savings_below_0_say_why_and_others_do_not(browser: Browser, store: Store) -> None:
    batch = _submitted(browser)
    with store.read() as connection:
        number = int(batches.find(connection, batch)["no"])
    counted = figures.count(store, number).parts
    for cost, said in ((30_000, "−$0.0200"), (70_000, "$0.0200")):
        parts = replace(counted, single=Single("large", cost, 50_000))
        with store.write() as connection:
            connection.execute(update(batch_figures).values(parts=parts.to_row()))
        shown = browser.shown(f"/batches/{batch}")
        assert f">{said} " in shown
        assert (LOST in shown) is said.startswith("−")


def test_the_events_of_a_batch_end_with_it(browser: Browser, store: Store) -> None:
    batch = _submitted(browser)
    with store.read() as connection:
        number = int(batches.find(connection, batch)["no"])
    store_builders.settle_all(store, number, model="small")
    figures.count(store, number)
    assert end_finished(store)
    with browser.client.stream("GET", f"/batches/{batch}/live") as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        text = response.read().decode()
    names = [line.removeprefix("event: ") for line in text.splitlines() if line.startswith("event: ")]
    assert names == ["live", "steering", "files", "find", "said", "course", "end"]
    assert "The batch is completed." in text
