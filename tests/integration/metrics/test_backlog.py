"""What waits and what is late in `/metrics`, and counters that never fall."""

from __future__ import annotations

from sqlalchemy import update

from tasks.settings import ModelSettings, Settings
from tasks.store import batches, chunks, control, ledger, steering
from tasks.store.engine import Store
from tasks.store.tables import chunk, outbox
from tasks.store.values import RequestResult
from tests.support import store_builders as builders
from tests.support.scraping import scrape, value

SETTINGS = Settings(models=(ModelSettings(name="small", litellm="openai/x"),))


def test_a_paused_batch_waits_for_no_worker(store: Store) -> None:
    _running, paused = (builders.submit(store, builders.lines(1)) for _ in range(2))
    with store.write() as connection:
        steering.pause(connection, builders.row(store, paused)["id"])
        connection.execute(
            update(chunk).where(chunk.c.batch_no == paused).values(opened_at=chunk.c.opened_at - 86_400_000)
        )
    samples = scrape(SETTINGS, store)
    queue = "dispatch.small"
    assert value(samples, "waybill_queue_chunks", queue=queue) == 1
    assert value(samples, "waybill_queue_requests", queue=queue) == 1
    assert value(samples, "waybill_queue_oldest_age_seconds", queue=queue) < 43_200
    assert value(samples, "waybill_requests", state="paused") == 1


def test_a_postponed_message_is_late_only_once_it_is_due(store: Store) -> None:
    batch_no = builders.submit(store, builders.lines(1))
    [held] = builders.claim(store, batch_no)
    with store.write() as connection:
        connection.execute(outbox.delete())
        connection.execute(update(chunk).values(opened_at=chunk.c.opened_at - 86_400_000))
        chunks.postpone(connection, held, after_s=0)
    samples = scrape(SETTINGS, store)
    assert value(samples, "waybill_outbox_messages") == 1
    assert value(samples, "waybill_outbox_oldest_age_seconds") < 43_200


def test_no_counter_falls_when_requests_are_tried_again(store: Store) -> None:
    batch_no = builders.submit(store, builders.lines(2), budget=1)
    ended = RequestResult("failed", error_code="budget_exceeded")
    settlements = [builders.without_call(one, ended) for one in builders.held(store, batch_no)]
    with store.write() as connection:
        batches.lock(connection, batch_no)
        ledger.apply_results(connection, batch_no, settlements)
    before = scrape(SETTINGS, store)
    assert value(before, "waybill_budget_stops") == 2
    with store.write() as connection:
        control.retry(connection, builders.row(store, batch_no)["id"], budget=1_000_000)
    after = scrape(SETTINGS, store)
    assert value(after, "waybill_budget_stops") == 0
    counters = [key for key in before if key[0].endswith("_total")]
    assert len(counters) > 10
    assert {key: (before[key], after[key]) for key in counters if after[key] < before[key]} == {}
