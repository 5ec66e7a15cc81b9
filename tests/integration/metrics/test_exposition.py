"""`/metrics` over a store and a Redis with work in them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from tasks.monitoring.counters import COUNTERS
from tasks.monitoring.writer import CounterWriter
from tasks.store import process_counters
from tasks.store.engine import Store
from tasks.store.health import workers
from tasks.store.tables import batch, chunk
from tests.support import store_builders as builders
from tests.support.dispatch_harness import DispatchHarness
from tests.support.scraping import CANARY, scrape, value, with_redis
from workers.metrics.collector import Exposition
from workers.simulator import SimulatorProcess


@pytest.fixture(autouse=True)
def _nothing_counted() -> None:
    COUNTERS.take()


@pytest.fixture
def harness(store: Store, redis_url: str, simulator: SimulatorProcess) -> DispatchHarness:
    harness = DispatchHarness(store, redis_url, simulator)
    harness.settings = with_redis(harness.settings, redis_url)
    return harness


def test_a_run_with_failures_is_counted_by_model_and_result(harness: DispatchHarness, store: Store) -> None:
    model, other = harness.named("sim-nano"), harness.named("sim-large")
    items = [{"prompt": f"{CANARY} {n}", "model": model} for n in range(5)]
    items += [{"prompt": f"[[sim:status=400]] {CANARY} {n}", "model": other} for n in range(3)]
    row = harness.run(harness.submit(items, budget=10_000_000))
    CounterWriter(store, "process-1", "dispatch").write()
    with store.write() as connection:
        workers.beat(connection, "dispatch@host-1", role="dispatch", queues=())
    samples = scrape(harness.settings, store)
    assert value(samples, "waybill_up", part="store") == value(samples, "waybill_up", part="redis") == 1
    assert value(samples, "waybill_batches", state="completed") == 1
    assert value(samples, "waybill_requests", state="succeeded") == 5
    assert value(samples, "waybill_requests", state="failed") == 3
    assert value(samples, "waybill_requests", state="open") == 0
    assert value(samples, "waybill_calls_total", model=model, result="succeeded") == 5
    assert value(samples, "waybill_calls_total", model=other, result="context_window") == 3
    spent = value(samples, "waybill_spent_usd_total")
    assert spent == pytest.approx(row["spent"] / 1e6)
    assert value(samples, "waybill_call_cost_usd_total", model=model) == pytest.approx(spent)
    labels = {
        "gen_ai_request_model": model,
        "gen_ai_provider_name": "openai",
        "gen_ai_operation_name": "chat",
    }
    assert value(samples, "gen_ai_client_operation_duration_seconds_count", **labels, error_type="") == 5
    assert value(samples, "gen_ai_client_token_usage_count", **labels, gen_ai_token_type="input") == 5
    assert value(samples, "waybill_tokens_total", model=model, kind="output") > 0
    assert value(samples, "waybill_workers", role="dispatch") == 1
    assert value(samples, "waybill_circuit_state", model=model, state="closed") == 1
    assert 0 <= value(samples, "waybill_rate_limit_used_ratio", model=model, limit="concurrency") <= 1


def test_queues_show_what_waits_in_the_store_and_for_how_long(harness: DispatchHarness, store: Store) -> None:
    model = harness.named("sim-nano")
    batch_no = builders.submit(store, [builders.line(n, model=model) for n in range(1, 11)])
    builders.submit(store, [builders.line(1, model="gone")])
    with store.write() as connection:
        connection.execute(
            update(chunk).where(chunk.c.batch_no == batch_no).values(opened_at=chunk.c.opened_at - 60_000)
        )
    samples = scrape(harness.settings, store)
    queue = f"dispatch.{model}"
    assert value(samples, "waybill_queue_chunks", queue=queue) == 3
    assert value(samples, "waybill_queue_requests", queue=queue) == 10
    assert value(samples, "waybill_queue_oldest_age_seconds", queue=queue) >= 60
    assert value(samples, "waybill_queue_requests", queue="embed") == 0
    assert value(samples, "waybill_queue_requests", queue="other") == 1
    assert value(samples, "waybill_queue_messages", queue=queue) == 0
    assert value(samples, "waybill_outbox_messages") == 4
    assert value(samples, "waybill_outbox_oldest_age_seconds") >= 60
    builders.claim(store, batch_no)
    samples = scrape(harness.settings, store)
    assert value(samples, "waybill_queue_held_chunks", queue=queue) == 3
    assert value(samples, "waybill_queue_oldest_age_seconds", queue=queue) == 0


def test_money_of_a_payer_counts_once_and_the_fullest_budget_shows(
    harness: DispatchHarness, store: Store
) -> None:
    payer = builders.submit(store, builders.lines(2), budget=1000)
    child = builders.submit(store, builders.lines(2), payer_no=payer)
    for number in (payer, child):
        requests = builders.held(store, number)
        builders.reserve(store, requests)
        builders.settle(store, requests[:1], cost=90)
    samples = scrape(harness.settings, store)
    assert value(samples, "waybill_spent_usd_total") == pytest.approx(180e-6)
    assert value(samples, "waybill_reserved_usd") == pytest.approx(200e-6)
    assert value(samples, "waybill_budget_used_ratio") == pytest.approx(0.18)


def test_the_number_of_series_does_not_grow_with_the_number_of_batches(
    harness: DispatchHarness, store: Store
) -> None:
    model = harness.named("sim-nano")

    def work(number: int) -> None:
        for _ in range(number):
            builders.settle_all(store, builders.submit(store, [builders.line(1, model=model)]), model=model)

    work(1)
    first = set(scrape(harness.settings, store))
    with store.write() as connection:
        row = dict(connection.execute(batch.select()).mappings().first() or {})
        copies = [{**row, "no": 10 + n, "id": f"batch_{n}", "owner": f"key-{n}"} for n in range(1000)]
        connection.execute(batch.insert(), copies)
    work(3)
    samples = scrape(harness.settings, store)
    assert set(samples) == first
    assert value(samples, "waybill_batches", state="completed") == 1004


def test_counts_outlive_their_processes_and_are_not_added_twice(
    harness: DispatchHarness, store: Store
) -> None:
    writers = [CounterWriter(store, f"process-{n}", "dispatch") for n in range(3)]
    for writer in writers:
        COUNTERS.add("calls", "small", "succeeded", by=4)
        writer.write()
        writer.write()

    def calls() -> float:
        return value(
            scrape(harness.settings, store), "waybill_calls_total", model="small", result="succeeded"
        )

    assert calls() == 12
    assert process_counters.fold(store, after_s=-60) == 3
    assert calls() == 12
    COUNTERS.add("calls", "small", "succeeded")
    writers[0].write()  # it had only been frozen
    assert calls() == 13
    assert process_counters.fold(store, after_s=-60) == 1
    assert calls() == 13


def test_what_cannot_be_written_is_kept_for_the_next_time(
    harness: DispatchHarness, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sqlalchemy.exc import OperationalError

    def fails(*_: Any) -> None:
        raise OperationalError("", {}, Exception())

    writer = CounterWriter(store, "process-1", "dispatch")
    COUNTERS.add("calls", "small", "succeeded", by=2)
    with monkeypatch.context() as down:
        down.setattr(process_counters, "add", fails)
        writer.write()
    writer.write()
    samples = scrape(harness.settings, store)
    assert value(samples, "waybill_calls_total", model="small", result="succeeded") == 2


def test_without_redis_or_the_store_the_rest_is_shown(
    harness: DispatchHarness, store: Store, tmp_path: Path
) -> None:
    samples = scrape(with_redis(harness.settings, "redis://127.0.0.1:1/0"), store)
    assert value(samples, "waybill_up", part="redis") == 0
    assert value(samples, "waybill_batches", state="completed") == 0
    missing = Store(f"sqlite:///{tmp_path / 'no-folder' / 'missing.db'}")
    samples = scrape(harness.settings, missing)
    assert value(samples, "waybill_up", part="store") == 0
    assert value(samples, "waybill_up", part="redis") == 1


def test_of_sentinels_that_do_not_answer_the_rest_is_shown(harness: DispatchHarness, store: Store) -> None:
    url = "redis+sentinel://127.0.0.1:1,127.0.0.1:2/master/0"
    samples = scrape(with_redis(harness.settings, url), store)
    assert value(samples, "waybill_up", part="redis") == 0
    assert value(samples, "waybill_up", part="store") == 1


def test_a_redis_that_the_settings_do_not_name_is_not_down(harness: DispatchHarness, store: Store) -> None:
    samples = scrape(with_redis(harness.settings, None), store)
    assert {labels for name, labels in samples if name == "waybill_up"} == {(("part", "store"),)}


def test_one_reading_serves_all_who_ask_at_once(harness: DispatchHarness, store: Store) -> None:
    exposition = Exposition(harness.settings, store, min_age_s=3600)
    shown: Callable[[], bytes] = exposition.text
    first = shown()
    builders.submit(store, builders.lines(3))
    assert shown() == first
