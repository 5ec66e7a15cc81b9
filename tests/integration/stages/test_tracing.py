"""Spans of a run: one trace from the submission to the calls, with counts and codes, and no content."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from sqlalchemy import select

from tasks import tracing
from tasks.store.engine import Store
from tasks.store.tables import chunk
from tests.support import store_builders as builders
from tests.support.dispatch_harness import DispatchHarness
from workers.simulator import SimulatorProcess

CANARY = "CANARY-prompt-99af"
KEY = "sk-CANARY-key-17"


@pytest.fixture
def spans() -> Iterator[InMemorySpanExporter]:
    exporter = InMemorySpanExporter()
    tracing.use_processor(SimpleSpanProcessor(exporter), "test")
    yield exporter
    tracing.stop_tracing()


def _named(exporter: InMemorySpanExporter, name: str) -> list[ReadableSpan]:
    return [span for span in exporter.get_finished_spans() if span.name == name]


def _id(span: ReadableSpan) -> int:
    assert span.context is not None
    return span.context.span_id


def test_a_trace_leads_from_the_submission_over_the_route_stage_to_the_calls(
    spans: InMemorySpanExporter,
    store: Store,
    redis_url: str,
    simulator: SimulatorProcess,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TEST_KEY", KEY)
    models = {name: {"api_key_env": "TEST_KEY"} for name in ("sim-nano", "sim-large")}
    harness = DispatchHarness(store, redis_url, simulator, models=models)
    large = harness.named("sim-large")
    items: list[object] = [f"{CANARY} {n}" for n in range(3)]
    items.append({"prompt": f"[[sim:status=400]] {CANARY}", "model": large})
    harness.run(harness.submit(items))
    finished = spans.get_finished_spans()
    [submit], [route] = _named(spans, "submit"), _named(spans, "route")
    calls = [span for span in finished if span.name.startswith("chat ")]
    assert {span.context.trace_id for span in finished if span.context} == {submit.context.trace_id}  # type: ignore[union-attr]
    failed = [span for span in calls if span.attributes and "error.type" in span.attributes]
    assert len(calls) == 4
    assert [span.parent.span_id for span in failed if span.parent] == [_id(submit)]
    routed = [span for span in calls if span not in failed]
    assert {span.parent.span_id for span in routed if span.parent} == {_id(route)}
    assert route.parent is not None
    assert route.parent.span_id == _id(submit)
    attributes = dict(routed[0].attributes or {})
    assert attributes["gen_ai.operation.name"] == "chat"
    assert attributes["gen_ai.provider.name"] == "openai"
    assert attributes["gen_ai.usage.output_tokens"]
    assert (failed[0].attributes or {})["error.type"] == "context_window"
    shown = json.dumps([json.loads(span.to_json()) for span in finished])
    assert CANARY not in shown
    assert KEY not in shown


def test_the_next_stage_is_below_the_span_of_the_one_before(
    spans: InMemorySpanExporter, store: Store
) -> None:
    with tracing.span("submit"):
        batch_no = builders.submit(store, builders.lines(2, model=None))
    with tracing.span("embed"):
        embedding = tracing.current()
        held = builders.claim_for_routing(store, batch_no)
    assert held.trace == embedding


def test_an_exception_is_recorded_by_its_class_only(spans: InMemorySpanExporter) -> None:
    with pytest.raises(ValueError, match=CANARY), tracing.span("route"):
        raise ValueError(CANARY)
    [route] = _named(spans, "route")
    assert (route.attributes or {})["error.type"] == "ValueError"
    assert CANARY not in route.to_json()


def test_a_wrong_variable_ends_no_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", "1")
    tracing.start_tracing("test", environment={"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"})
    assert not tracing.is_on()


def test_without_a_collector_nothing_is_traced_or_stored(store: Store) -> None:
    tracing.start_tracing("test", environment={})
    assert not tracing.is_on()
    with tracing.span("submit"):
        batch_no = builders.submit(store, builders.lines(2))
        assert tracing.current() is None
    with store.read() as connection:
        traces = connection.execute(select(chunk.c.trace).where(chunk.c.batch_no == batch_no)).scalars()
        assert set(traces) == {None}
