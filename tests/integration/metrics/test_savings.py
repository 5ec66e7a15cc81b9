"""What routing has saved against the best single model, in `/metrics`."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import event, func, insert, select, update

from tasks.settings import ModelSettings, Settings
from tasks.store import ledger, progress, running_totals
from tasks.store.batch_options import BatchOptions
from tasks.store.engine import Store
from tasks.store.page import figures
from tasks.store.page.tables import batch_figures
from tasks.store.routers.tables import router_version
from tasks.store.tables import attempt
from tests.support import store_builders as builders
from tests.support.scraping import scrape, value
from workers.metrics.readings import Reader
from workers.views.status import cost, usd

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
def test_a_batch_that_is_counted_again_counts_once(store: Store) -> None:
    number = _answered(store, model=None, tokens=100)
    once = value(scrape(SETTINGS, store), "waybill_routing_saved_usd")
    assert once > 0
    with store.write() as connection:
        connection.execute(update(attempt).values(prompt_tokens=200, completion_tokens=200))
    for _ in range(2):
        figures.count(store, number)
    assert value(scrape(SETTINGS, store), "waybill_routing_saved_usd") > 2 * once
    with store.read() as connection:
        total = running_totals.read(connection, running_totals.ROUTING_SAVED)
        assert total == connection.execute(select(func.sum(batch_figures.c.saved))).scalar_one()
        state = progress.snapshot(connection)
    assert (state.routing_saved, state.saved) == (total, 0)
    assert f"saved by routing {usd(total)}" in cost(state)


@pytest.mark.usefixtures("_router")
def test_a_scrape_reads_no_figures_of_batches_however_many_there_are(store: Store) -> None:
    reader = Reader(SETTINGS, store)
    statements: list[str] = []
    reader.store()  # the canary's figures are read once a minute
    event.listen(store.engine, "before_cursor_execute", lambda *given: statements.append(given[2]))
    lengths = []
    for _ in range(2):
        _answered(store, model=None, tokens=100)
        statements.clear()
        assert reader.store() is not None
        lengths.append(len(statements))
        assert [one for one in statements if "batch_figures" in one] == []
    assert lengths[0] == lengths[1] > 5


@pytest.mark.usefixtures("_router")
def test_requests_that_name_their_model_save_nothing(store: Store) -> None:
    _answered(store, model="small", tokens=100)
    assert value(scrape(SETTINGS, store), "waybill_routing_saved_usd") == 0
