"""What routing has saved against the best single model, in `/metrics`."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import insert

from tasks.settings import ModelSettings, Settings
from tasks.store import ledger
from tasks.store.batch_options import BatchOptions
from tasks.store.engine import Store
from tasks.store.page import figures
from tasks.store.routers.tables import router_version
from tests.support import store_builders as builders
from tests.support.scraping import scrape, value

SETTINGS = Settings(models=(ModelSettings(name="small", litellm="openai/x"),))
#: dollars per million tokens, in and out
OPTIONS = BatchOptions(prices={"small": (1.0, 2.0), "large": (10.0, 20.0)})


@pytest.fixture
def _router(store: Store) -> None:
    """A router whose best single model is the dear one."""
    row = {"version": "aaaa", "source": "a test", "figures": {"best_single": "large"}, "created_at": 1}
    with store.write() as connection:
        connection.execute(insert(router_version).values(**row))


def _answered(store: Store, *, model: str | None, tokens: int) -> int:
    """Have a batch of two requests answered by the cheap model; returns its number."""
    number = builders.submit(store, builders.lines(2, model=model), options=OPTIONS)
    if model is None:
        builders.route_all(store, number, model="small", router="aaaa")
    requests = builders.held(store, number)
    builders.reserve(store, requests, worst=10_000)
    used = [
        replace(builders.settlement(one, cost=3 * tokens), prompt_tokens=tokens, completion_tokens=tokens)
        for one in requests
    ]
    with store.write() as connection:
        ledger.settle(connection, number, used)
    figures.count(store, number)
    return number


@pytest.mark.usefixtures("_router")
def test_what_routed_requests_saved_is_summed_over_all_batches(store: Store) -> None:
    assert value(scrape(SETTINGS, store), "waybill_routing_saved_usd") == 0
    for tokens in (100, 1000):
        _answered(store, model=None, tokens=tokens)
    # two requests of 1,100 tokens each way: $30 of the best single model less $3, by the million
    samples = scrape(SETTINGS, store)
    assert value(samples, "waybill_routing_saved_usd") == pytest.approx(2 * 1100 * 27e-6)
    assert value(samples, "waybill_saved_usd_total") == 0


@pytest.mark.usefixtures("_router")
def test_requests_that_name_their_model_save_nothing(store: Store) -> None:
    _answered(store, model="small", tokens=100)
    assert value(scrape(SETTINGS, store), "waybill_routing_saved_usd") == 0
