"""A dispatch process: what it counts and traces of its groups."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from celery.signals import worker_process_shutdown
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from sqlalchemy import select

from tasks import tracing
from tasks.app import create_app
from tasks.monitoring.calls import QUEUE_WAIT
from tasks.monitoring.counters import COUNTERS, SUM
from tasks.stages import context as contexts
from tasks.stages.context import WorkerContext
from tasks.stages.dispatch import process as processes
from tasks.stages.dispatch.process import DispatchProcess
from tasks.store.engine import Store
from tasks.store.tables import chunk
from tests.support.dispatch_harness import DispatchHarness
from tests.support.holding import Hold
from workers.simulator import SimulatorProcess
from workers.worker import preload

HOST = "dispatch@host-1"


@pytest.fixture
def harness(store: Store, redis_url: str, simulator: SimulatorProcess) -> DispatchHarness:
    made = DispatchHarness(store, redis_url, simulator, dispatch={"drain_s": 200}, redis={"url": redis_url})
    create_app(made.settings)  # events are sent by the current app
    return made


@pytest.fixture
def context(harness: DispatchHarness, store: Store) -> WorkerContext:
    made = WorkerContext(harness.settings)
    made.store = store
    return made


@pytest.fixture
def at_end(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], None]], None]:
    """Adds to what a pool process does when it ends, which here is nothing at first."""
    monkeypatch.setattr(worker_process_shutdown, "receivers", [])
    return lambda step: worker_process_shutdown.connect(lambda **_: step(), weak=False)


@pytest.fixture
def spans() -> Iterator[InMemorySpanExporter]:
    exporter = InMemorySpanExporter()
    tracing.use_processor(SimpleSpanProcessor(exporter), "test")
    yield exporter
    tracing.stop_tracing()


def _stop(process: DispatchProcess) -> None:
    """End the loops that a process has as long as it lives."""

    async def cancel_all() -> None:
        loops = asyncio.all_tasks() - {asyncio.current_task()}
        for one in loops:
            one.cancel()
        await asyncio.gather(*loops, return_exceptions=True)

    asyncio.run_coroutine_threadsafe(cancel_all(), process._loop).result()
    process._loop.call_soon_threadsafe(process._loop.stop)


def _message(store: Store) -> tuple[int, int]:
    with store.read() as connection:
        row = connection.execute(select(chunk.c.id, chunk.c.epoch)).one()
    return row.id, row.epoch


def test_calls_that_end_in_the_drain_are_traced(
    harness: DispatchHarness,
    context: WorkerContext,
    store: Store,
    simulator: SimulatorProcess,
    spans: InMemorySpanExporter,
    at_end: Callable[[Callable[[], None]], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(contexts, "worker_context", lambda: context)
    monkeypatch.setattr(processes, "worker_context", lambda: context)
    model = harness.named("sim-nano")
    with Hold(simulator.client) as hold:
        harness.submit([{"prompt": f"{hold.marker} {n}", "model": model} for n in range(3)])
        preload._trace("dispatch")
        at_end(hold.let_go)
        process: DispatchProcess = processes.dispatcher.__wrapped__()
        assert process.take(*_message(store), task_id="t", hostname=HOST)
        hold.await_calls(3)
        worker_process_shutdown.send(sender=None)
        _stop(process)
    calls = [span for span in spans.get_finished_spans() if span.name == f"chat {model}"]
    assert len(calls) == 3
    assert not tracing.is_on()


def test_a_group_that_is_postponed_goes_on_waiting(
    harness: DispatchHarness, context: WorkerContext, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def full(*_: Any) -> None:
        return None

    def waits() -> list[float]:
        counted = [(json.loads(key), value) for key, value in COUNTERS.take().items()]
        return [value for parts, value in counted if parts[0] == QUEUE_WAIT and parts[-1] != SUM]

    harness.submit([{"prompt": "p", "model": harness.named("sim-nano")}])
    process = DispatchProcess(context)
    waits()
    with monkeypatch.context() as no_room:
        no_room.setattr(process, "_queue_with_room", full)
        assert not process.take(*_message(store), task_id="t", hostname=HOST)
    assert waits() == []
    assert process.take(*_message(store), task_id="t", hostname=HOST)
    assert waits() == [1]
    process.drain()
    _stop(process)
